"""A long run that measures a gradient where no formula gives it: several mechanisms, until they agree."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from experiments.gradients.workload import Workload
from experiments.measuring.edges import lost_samples
from experiments.measuring.purse import Purse
from experiments.measuring.reference import NO_LIMITS, NoReference, Reference
from experiments.measuring.reference_race import TOO_DEAR, Race
from experiments.measuring.votes import Decision
from experiments.statistics import GROUPS, Groups, projected, squared_bias, total_variance
from experiments.terminal.telling import Tell, untold

__all__ = ["LONGEST", "growing", "measured_gradient"]

NUM_SAMPLES, FEW_SAMPLES = 64, 4
"""The samples of a gradient, and those where a cost is so slow that 64 replicates of more are too dear."""
ELEMENTS = 2**30
"""Element-samples (replicates × samples × event size) that a candidate may take."""
BYTES = 2**36
"""Replicates × the footprint of one that it may take, where that is more."""
FEWEST, MOST = 2**10, 2**17
"""The replicates with which a run begins, and at which it ends in any case."""
GROWTH = 4
PRECISE = 0.001
"""The standard error along the gradient, relative to it, at which a reference is known well enough."""
LONGEST = 600.0
"""Seconds of a reference where nobody gives a budget: only costs that are slow come to that."""

MEASURING = "reference gradient"
ENDED = "the budget ended before two mechanisms could agree on the reference gradient"


def measured_gradient(workload: Workload, tell: Tell = untold, seconds: float = LONGEST) -> Reference | NoReference:
    """The gradient that several mechanisms agree on, as group means of the candidate of least variance.

    It takes at most 2³⁰ element-samples a candidate, and where a cost is slow so many seconds: then it is not as
    precise as it is elsewhere, and says so.
    """
    *_, last = growing(workload, Purse(seconds), tell)
    return last


def growing(workload: Workload, purse: Purse, tell: Tell = untold) -> Iterator[Reference | NoReference]:
    """What is known of the gradient after each step, until it is precise enough or no further step is affordable.

    Candidates are the estimators of `Objective.measured_by` that claim to be unbiased; finite differences judge them
    where pathwise estimators are among them. Whoever raises, or is not finite, is left out. Each has 1,024 replicates
    of 64 samples first, or where half of the purse does not allow that, 64 replicates. `tell` is told of each step.
    """
    tell(MEASURING, math.inf)
    race = _entered(workload, purse)
    if lost := next((lost for run in race.runs.values() if (lost := lost_samples(run.workload).by_cost)), ""):
        yield NoReference(f"there is no reference gradient: {lost}", NO_LIMITS)
        return
    first = FEWEST if race.opens_with(FEWEST) else GROUPS
    race.appoint_judge(workload, first)
    _leave_out_the_dearest(race, first)
    goals, decision, settled = list(_goals(workload, race.num_samples, first)), Decision(None, False), False
    for replicates in goals:
        if replicates > first and not race.affords(replicates):
            break
        tell(f"{MEASURING}, {replicates:,} replicates", race.seconds_to(replicates))
        race.grow(replicates)
        if not race.runs:
            yield NoReference(_remark("", race))
            return
        decision = race.decision()
        settled = decision.settled or replicates == goals[-1]
        yield _found(decision, race, settled)
        if settled:
            break
    if decision.chosen is not None:
        yield from _more_precise(decision, race, settled, goals[-1], tell)
    elif settled:
        yield replace(_found(decision, race, settled), allowed=NO_LIMITS)


def _entered(workload: Workload, purse: Purse) -> Race:
    """All candidates, with few samples where many are too dear; a bound of K samples is nothing without them."""
    own = workload.objective.of_samples
    race = Race(own or NUM_SAMPLES, purse)
    if own or race.may_open:
        for spec in workload.objective.measured_by:
            race.enter(workload, spec)
        if own or race.opens_with(GROUPS):
            return race
    smaller = Race(FEW_SAMPLES, purse)
    for spec in workload.objective.measured_by:
        smaller.enter(workload, spec)
    return smaller


def _leave_out_the_dearest(race: Race, replicates: int) -> None:
    """Until the others can measure; the last one stays."""
    while len(race.runs) > 1 and not race.affords(replicates):
        race.leave_out(max(race.runs, key=lambda spec: race.prices[spec].seconds(replicates)), TOO_DEAR)


def _goals(workload: Workload, num_samples: int, first: int) -> Iterator[int]:
    event = workload.problem.initial_distribution.event_shape.numel()
    affordable = ELEMENTS // (num_samples * event)
    affordable = min(affordable, int(BYTES / max(workload.footprint.of_replicate(num_samples), 1.0)))
    limit = min(max(affordable, FEWEST), MOST) // GROUPS * GROUPS
    goal = first
    while goal < limit:
        yield goal
        goal *= GROWTH
    yield limit


def _more_precise(
    decision: Decision, race: Race, settled: bool, limit: int, tell: Tell
) -> Iterator[Reference | NoReference]:
    """The chosen candidate goes on alone, until it is precise enough."""
    assert decision.chosen is not None
    spec = decision.chosen.spec
    run = race.runs[spec]
    while run.groups is not None and run.replicates < limit and (factor := _shortage(run.groups)) > 1:
        wanted = min(1.1 * factor * run.replicates, limit)
        affordable = race.affordable(spec)
        if affordable == run.replicates:
            break
        replicates = math.ceil(min(wanted, affordable, GROWTH * run.replicates) / GROUPS) * GROUPS
        tell(f"{MEASURING}, {replicates:,} replicates", race.seconds_to(replicates, spec))
        if race.grown(spec, replicates):
            break
        yield _found(decision, race, settled)
    assert run.groups is not None
    if settled and TOO_DEAR not in race.left_out.values() and (run.replicates >= limit or _shortage(run.groups) <= 1):
        yield replace(_found(decision, race, settled), allowed=NO_LIMITS)


def _found(decision: Decision, race: Race, settled: bool) -> Reference | NoReference:
    """What is known so far, as long as nothing says that more of the purse would not change it."""
    if decision.chosen is None:
        return NoReference(_remark(decision.remark, race), race.purse.limits, decision.disputed)
    groups = race.runs[decision.chosen.spec].groups
    assert groups is not None
    decided = "; ".join(filter(None, [decision.remark, "" if settled else ENDED]))
    return Reference("measured", groups.mean, _remark(decided, race), race.purse.limits)


def _shortage(groups: Groups) -> float:
    """The factor of replicates with which a reference adds little to the noise of what is compared with it.

    At most 1: it does so already, along the gradient and in all entries together.
    """
    mean = groups.overall_mean
    norm = float(np.linalg.norm(mean))
    if norm == 0:
        return 1.0 if total_variance(groups).value == 0 else math.inf
    along = float(projected(groups.mean, mean / norm).std(ddof=1)) / math.sqrt(GROUPS)
    together = math.sqrt(max(squared_bias(groups, mean).high, 0.0)) / 4
    return (max(along, together) / (PRECISE * norm)) ** 2


def _remark(decided: str, race: Race) -> str:
    reasons: dict[str, list[str]] = {}
    for spec, why in race.left_out.items():
        reasons.setdefault(why, []).append(spec)
    left_out = [f"the reference gradient was measured without {', '.join(who)}: {why}" for why, who in reasons.items()]
    return "; ".join([*([decided] if decided else []), *left_out])
