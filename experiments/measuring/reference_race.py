"""The estimators that measure a reference gradient together, and finite differences as their judge."""

from dataclasses import dataclass, field

import numpy as np

from estimators.noise import derive_seed
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.machine.errors import reason
from experiments.measuring import doubling
from experiments.measuring.differences import (
    DIFFERENCES,
    STEPS,
    Differences,
    applicable,
    differences_along,
    directions,
    halves,
    step_for,
)
from experiments.measuring.mean_score import wrong_score
from experiments.measuring.moments import Sampling
from experiments.measuring.purse import Purse
from experiments.measuring.votes import Candidate, Decision, decide, opinion
from experiments.statistics import GROUPS, TOLERANCE
from experiments.timing.price import MOST_GRADIENTS, Price

__all__ = ["TOO_DEAR", "Race"]

OPENING = 8
"""Gradients of every candidate that a replicate of the first look takes: pilots, the judge's steps and itself."""
SCORE = 0.1
"""The part of what is left that the test of E[score] = 0 may take."""
MORE_NOISE = 1.5
"""The factor of the smallest difference that is seen by which a smaller step may see less."""
TOO_DEAR = "the budget does not allow it"


@dataclass
class Race:
    """The candidates that measure, and those that cannot and why."""

    num_samples: int
    purse: Purse = field(default_factory=Purse)
    runs: dict[str, Sampling] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    units: np.ndarray | None = None
    judge: Sampling | None = None
    judged: str = ""
    """Whose values the judge takes differences of, with this `step`."""
    step: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    """Seconds of what each has measured."""

    def enter(self, workload: Workload, spec: str) -> None:
        """Let an estimator take part, unless it does not claim to be fit for that."""
        try:
            estimator = make_estimator(spec)
            if estimator.refusal(workload.problem, self.num_samples):
                return
            if estimator.claim(workload.problem, self.num_samples) == "biased":
                return
            run = _prepared(workload, spec, self.num_samples)
            why = ""
            if estimator.traits.rests_on_score:
                why = wrong_score(run, self.purse.share(SCORE))
            if why:
                self.left_out[spec] = why
                return
            each = estimator.evaluations(workload.problem, self.num_samples)
            if not self.purse.allows(0.0, (MOST_GRADIENTS + GROUPS) * each):
                self.left_out[spec] = TOO_DEAR
                return
            self.prices[spec] = Price.of(run)
        except Exception as error:
            self.left_out[spec] = reason(error)
            return
        self.purse.pay(self.prices[spec].spent)
        self.runs[spec] = Sampling(run, None)

    def affords(self, replicates: int, part: float = 1.0) -> bool:
        """Whether all can reach a number of replicates with a part of what is left."""
        missing = {spec: max(replicates - run.replicates, 0) for spec, run in self._all.items()}
        evaluations = sum(self._each(spec) * count for spec, count in missing.items())
        return self.purse.allows(self.seconds_to(replicates) / part, evaluations / part)

    def seconds_to(self, replicates: int, *specs: str) -> float:
        """What some, or all, take to reach a number of replicates."""
        missing = {spec: max(replicates - self._all[spec].replicates, 0) for spec in specs or self._all}
        return sum(self._seconds(spec, count) for spec, count in missing.items())

    @property
    def may_open(self) -> bool:
        """Whether the evaluations allow the first look of anybody: else nobody's price is worth to be known."""
        return self.purse.allows(0.0, 2.0 * OPENING * GROUPS * self.num_samples)

    def opens_with(self, replicates: int) -> bool:
        """Whether half of what is left allows the first look with so many: for all, and for the judge."""
        seconds = sum(price.seconds(OPENING * replicates) for price in self.prices.values())
        evaluations = sum(OPENING * replicates * price.evaluations for price in self.prices.values())
        return self.purse.allows(2 * seconds, 2 * evaluations)

    def affordable(self, spec: str) -> int:
        """The replicates that one can still reach alone."""
        run = self.runs[spec]
        pace, each = self._seconds(spec, run.replicates) / run.replicates, self._each(spec)
        more = min(self.purse.seconds_left / max(pace, 1e-12), self.purse.evaluations_left / each)
        return run.replicates + (0 if more < GROUPS else int(min(more, 2**40)))

    def grow(self, replicates: int) -> None:
        """Let all reach a number of replicates; whoever cannot is left out."""
        for spec in list(self._all):
            if why := self.grown(spec, replicates):
                self.leave_out(spec, why)

    def grown(self, spec: str, replicates: int) -> str | None:
        """Why a run did not reach a number of replicates; None: it did."""
        run, before = self._all[spec], self.purse.elapsed
        have = run.replicates
        try:
            doubling.reach(run, replicates)
        except Exception as error:
            return reason(error)
        self.purse.pay(self._each(spec) * (run.replicates - have))
        self.spent[spec] = self.spent.get(spec, 0.0) + self.purse.elapsed - before
        return "some of its gradients are not finite" if run.nonfinite else None

    def leave_out(self, spec: str, why: str) -> None:
        self.left_out[spec] = why
        if spec == DIFFERENCES:
            self.judge = None
        else:
            del self.runs[spec]

    def decision(self) -> Decision:
        """Who is believed, once a judge who differs from somebody does so with a smaller step, too."""
        if self.step > STEPS[-1] and self._contested(self._differences()):
            self._ask_again()
        return decide(self._candidates, self._differences())

    @property
    def _candidates(self) -> list[Candidate]:
        return [_candidate(spec, run) for spec, run in self.runs.items() if run.groups is not None]

    def _contested(self, differences: Differences | None) -> list[Candidate]:
        """From whom the judge differs."""
        return [one for one in self._candidates if differences is not None and opinion(one, differences).differ]

    def _ask_again(self) -> None:
        """Let differences with the smallest step take the place of the judge, if they can be afforded.

        Where the cost has kinks in the parameters, as through a network of rectified units, differences err in
        proportion to the step, which no extrapolation removes: then a smaller one agrees. Where it jumps, a smaller
        step has more noise: who sees less than the judge did replaces nobody.
        """
        judge, before, spent = self.judge, self._differences(), self.spent.get(DIFFERENCES, 0.0)
        assert judge is not None and before is not None and self.units is not None
        if not self.purse.allows(spent, judge.replicates * self._each(DIFFERENCES)):
            return
        self.judge = differences_along(self.runs[self.judged].workload, self.units, STEPS[-1])
        self.spent[DIFFERENCES] = 0.0
        failed, now = self.grown(DIFFERENCES, judge.replicates), self._differences()
        if failed or now is None or any(_sees_less(one, now, before) for one in self._contested(before)):
            self.judge, self.spent[DIFFERENCES] = judge, spent
        self.step = STEPS[-1]

    def appoint_judge(self, workload: Workload, replicates: int) -> None:
        """Finite differences, along directions and with a step that so many replicates of other noise choose."""
        mechanisms = {spec: run.workload.estimator.traits.mechanism for spec, run in self.runs.items()}
        spec = next((spec for spec, mechanism in mechanisms.items() if mechanism == "pathwise"), None)
        if spec is None or not applicable(self.runs[spec].workload):
            return
        if not self.opens_with(replicates):
            self.left_out[DIFFERENCES] = TOO_DEAR
            return
        try:
            pilots = {one: self._pilot(workload, one, replicates) for one in self.runs}
            units = directions(pilots[spec].workload, [found for run in pilots.values() if (found := run.groups)])
            step = step_for(pilots[spec].workload, units, replicates, self.purse)
            if step is not None:
                self.units, self.judge = units, differences_along(self.runs[spec].workload, units, step)
                self.judged, self.step = spec, step
        except Exception as error:
            self.left_out[DIFFERENCES] = reason(error)

    def _pilot(self, workload: Workload, spec: str, replicates: int) -> Sampling:
        run = Sampling(_prepared(workload, spec, self.num_samples, "directions of the reference"), None)
        doubling.reach(run, replicates)
        self.purse.pay(run.replicates * self._each(spec))
        return run

    def _differences(self) -> Differences | None:
        if self.judge is None or self.units is None or self.judge.groups is None:
            return None
        return Differences(self.units, *halves(self.judge.groups))

    @property
    def _all(self) -> dict[str, Sampling]:
        return self.runs if self.judge is None else {**self.runs, DIFFERENCES: self.judge}

    def _each(self, spec: str) -> int:
        """Evaluations of the cost for a replicate."""
        if spec != DIFFERENCES or self.units is None:
            return self.prices[spec].evaluations
        return 4 * len(self.units) * self.num_samples

    def _seconds(self, spec: str, replicates: int) -> float:
        """What more replicates take: at the pace so far, or by the price."""
        run = self._all[spec]
        if run.replicates:
            return replicates * self.spent.get(spec, 0.0) / run.replicates
        if spec != DIFFERENCES or self.units is None:
            return self.prices[spec].seconds(replicates)
        return 4 * len(self.units) * min(price.seconds(replicates) for price in self.prices.values())


def _prepared(workload: Workload, spec: str, num_samples: int, purpose: str = "reference") -> Workload:
    return prepare(
        workload.problem,
        make_estimator(spec),
        num_samples,
        seed=derive_seed(purpose),
        device=str(workload.device),
        dtype="float64",
    )


def _sees_less(candidate: Candidate, now: Differences, before: Differences) -> bool:
    """Whether differences that no longer differ would not have seen what others saw."""
    found, known = opinion(candidate, now), opinion(candidate, before)
    return not found.differ and found.detectable > max(MORE_NOISE * known.detectable, TOLERANCE)


def _candidate(spec: str, run: Sampling) -> Candidate:
    assert run.groups is not None
    mechanism = run.workload.estimator.traits.mechanism or spec
    return Candidate(spec, mechanism, run.groups, list(run.workload.places.values()))
