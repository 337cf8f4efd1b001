"""A long run that measures a gradient where no formula gives it: several mechanisms, until they agree."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from estimators.noise import derive_seed
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.machine.errors import reason
from experiments.measuring.differences import (
    DIFFERENCES,
    Differences,
    applicable,
    differences_along,
    directions,
    halves,
    step_for,
)
from experiments.measuring.edges import lost_samples
from experiments.measuring.mean_score import wrong_score
from experiments.measuring.moments import Sampling
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.votes import Candidate, Decision, decide
from experiments.statistics import GROUPS, Groups, squared_bias, total_variance

__all__ = ["measured_gradient"]

NUM_SAMPLES = 64
ELEMENTS = 2**30
"""Element-samples (replicates × samples × event size) that a candidate may take."""
BYTES = 2**36
"""Replicates × the footprint of one that it may take, where that is more."""
FEWEST, MOST = 2**10, 2**17
"""The replicates with which a run begins, and at which it ends in any case."""
GROWTH = 4
PRECISE = 0.001
"""The standard error along the gradient, relative to it, at which a reference is known well enough."""


@dataclass
class Race:
    """The candidates that measure, and those that cannot and why."""

    num_samples: int
    runs: dict[str, Sampling] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    units: np.ndarray | None = None
    judge: Sampling | None = None

    def grow(self, replicates: int) -> None:
        """Let all reach a number of replicates; whoever cannot is left out."""
        for spec, run in list(self.runs.items()):
            if why := _grown(run, replicates):
                self.left_out[spec] = why
                del self.runs[spec]
        if self.judge is not None and (why := _grown(self.judge, replicates)):
            self.left_out[DIFFERENCES] = why
            self.judge = None

    def decision(self) -> Decision:
        candidates = [_candidate(spec, run) for spec, run in self.runs.items()]
        return decide(candidates, self._differences())

    def precise(self, spec: str, limit: int) -> np.ndarray:
        """The group means of one candidate that goes on alone until they are precise enough."""
        run = self.runs[spec]
        assert run.groups is not None
        found = run.groups
        while found.replicates < limit and (factor := _shortage(found)) > 1:
            wanted = min(1.1 * factor * found.replicates, limit)
            if _grown(run, math.ceil(wanted / GROUPS) * GROUPS):
                break
            found = run.groups
        return found.mean

    def _differences(self) -> Differences | None:
        if self.judge is None or self.units is None:
            return None
        assert self.judge.groups is not None
        return Differences(self.units, *halves(self.judge.groups))


def measured_gradient(workload: Workload) -> Reference | NoReference:
    """The gradient that several mechanisms agree on, as group means of the candidate of least variance.

    Candidates are the estimators of `Objective.measured_by` that claim to be unbiased; finite differences judge them
    where pathwise estimators are among them. Whoever raises, or is not finite, is left out.
    """
    depends = workload.objective.depends_on_samples
    race = Race(workload.num_samples if depends else NUM_SAMPLES)
    for spec in workload.objective.measured_by:
        _enter(race, workload, spec)
    if lost := next((lost for run in race.runs.values() if (lost := lost_samples(run.workload).by_cost)), ""):
        return NoReference(f"there is no reference gradient: {lost}")
    _appoint_judge(race, workload)
    goals, decision = list(_goals(workload, race.num_samples)), Decision(None, False)
    for replicates in goals:
        race.grow(replicates)
        if not race.runs:
            return NoReference(_remark("", race))
        decision = race.decision()
        if decision.settled:
            break
    remark = _remark(decision.remark, race)
    if decision.chosen is None:
        return NoReference(remark)
    return Reference("measured", race.precise(decision.chosen.spec, goals[-1]), remark)


def _goals(workload: Workload, num_samples: int) -> Iterator[int]:
    event = workload.problem.initial_distribution.event_shape.numel()
    affordable = ELEMENTS // (num_samples * event)
    affordable = min(affordable, int(BYTES / max(workload.footprint.of_replicate(num_samples), 1.0)))
    limit = min(max(affordable, FEWEST), MOST) // GROUPS * GROUPS
    goal = FEWEST
    while goal < limit:
        yield goal
        goal *= GROWTH
    yield limit


def _enter(race: Race, workload: Workload, spec: str) -> None:
    """Let an estimator take part, unless it does not claim to be fit for that."""
    try:
        estimator = make_estimator(spec)
        if estimator.refusal(workload.problem, race.num_samples):
            return
        if estimator.claim(workload.problem, race.num_samples) == "biased":
            return
        run = _prepared(workload, spec, race.num_samples)
        if estimator.traits.mechanism == "score function" and (why := wrong_score(run)):
            race.left_out[spec] = why
            return
    except Exception as error:
        race.left_out[spec] = reason(error)
        return
    race.runs[spec] = Sampling(run, None)


def _prepared(workload: Workload, spec: str, num_samples: int, purpose: str = "reference") -> Workload:
    return prepare(
        workload.problem,
        make_estimator(spec),
        num_samples,
        seed=derive_seed(purpose),
        device=str(workload.device),
        dtype="float64",
    )


def _appoint_judge(race: Race, workload: Workload) -> None:
    """Finite differences, along directions and with a step that other noise chooses."""
    mechanisms = {spec: run.workload.estimator.traits.mechanism for spec, run in race.runs.items()}
    spec = next((spec for spec, mechanism in mechanisms.items() if mechanism == "pathwise"), None)
    if spec is None or not applicable(race.runs[spec].workload):
        return
    try:
        pilots = {one: _pilot(workload, one, race.num_samples) for one in race.runs}
        units = directions(pilots[spec].workload, [found for run in pilots.values() if (found := run.groups)])
        step = step_for(pilots[spec].workload, units)
        if step is not None:
            race.units, race.judge = units, differences_along(race.runs[spec].workload, units, step)
    except Exception as error:
        race.left_out[DIFFERENCES] = reason(error)


def _pilot(workload: Workload, spec: str, num_samples: int) -> Sampling:
    run = Sampling(_prepared(workload, spec, num_samples, "directions of the reference"), None)
    run.reach(min(run.block, FEWEST))
    return run


def _grown(run: Sampling, replicates: int) -> str | None:
    """Why a run did not reach a number of replicates; None: it did."""
    try:
        run.reach(replicates)
    except Exception as error:
        return reason(error)
    return "some of its gradients are not finite" if run.nonfinite else None


def _candidate(spec: str, run: Sampling) -> Candidate:
    assert run.groups is not None
    mechanism = run.workload.estimator.traits.mechanism or spec
    return Candidate(spec, mechanism, run.groups, list(run.workload.places.values()))


def _shortage(groups: Groups) -> float:
    """The factor of replicates with which a reference adds little to the noise of what is compared with it.

    At most 1: it does so already, along the gradient and in all entries together.
    """
    mean = groups.overall_mean
    norm = float(np.linalg.norm(mean))
    if norm == 0:
        return 1.0 if total_variance(groups).value == 0 else math.inf
    along = float((groups.mean @ mean / norm).std(ddof=1)) / math.sqrt(GROUPS)
    together = math.sqrt(max(squared_bias(groups, mean).high, 0.0)) / 4
    return (max(along, together) / (PRECISE * norm)) ** 2


def _remark(decided: str, race: Race) -> str:
    reasons: dict[str, list[str]] = {}
    for spec, why in race.left_out.items():
        reasons.setdefault(why, []).append(spec)
    left_out = [f"the reference gradient was measured without {', '.join(who)}: {why}" for why, who in reasons.items()]
    return "; ".join([*([decided] if decided else []), *left_out])
