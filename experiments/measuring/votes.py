"""Which measured gradient is believed: mechanisms vote, and an agreement counts that could have been a disagreement."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from experiments import statistics
from experiments.measuring.differences import DIFFERENCES, Differences
from experiments.statistics import TOLERANCE, Groups
from experiments.terminal.listing import listed

__all__ = ["Candidate", "Decision", "Opinion", "decide", "opinion"]

DISAGREEMENT = 1e-5
"""The p-value of a disagreement: votes are taken several times while replicates grow."""
IMMATERIAL = 0.002
"""A difference, relative to the gradient, that no verdict depends on, e.g. of Gamma variates' implicit derivatives."""

MECHANISMS = {"pathwise": "pathwise", "score function": "score functions", DIFFERENCES: DIFFERENCES}
SUSPICIONS = {
    "pathwise": "the cost may jump, which a derivative does not see: is it `differentiable`?",
    "score function": "the density may not be that of the samples, or have tails too heavy for its score",
    DIFFERENCES: "the expected cost may bend too much for finite differences",
}


UNCHECKED = "there is no reference gradient: only pathwise can measure it, and nothing tells whether the cost jumps"


@dataclass(frozen=True, eq=False)
class Candidate:
    """An estimator that claims to be unbiased, and what it measured."""

    spec: str
    mechanism: str
    groups: Groups
    places: Sequence[slice]
    """Where the entries of each named parameter lie."""

    def opinion(self, other: "Candidate") -> "Opinion":
        """Whether both have measured the same, in all parameters and in each named one."""
        whole = _test(self.groups, other.groups.mean, self.places)
        differ = _differ(whole, self.groups, other.groups.mean)
        for place in self.places:
            mine, its = self.groups.of(place), other.groups.mean[:, place]
            differ = differ or _differ(_test(mine, its, [slice(None)]), mine, its)
        return Opinion(differ, whole.detectable)


@final
@dataclass(frozen=True)
class Opinion:
    """What two mechanisms say of each other."""

    differ: bool
    detectable: float
    """The smallest difference, relative to the gradient, that would have been seen."""

    @property
    def agree(self) -> bool:
        return not self.differ and self.detectable <= TOLERANCE


@final
@dataclass(frozen=True)
class Decision:
    """Who is believed, if anybody."""

    chosen: Candidate | None
    settled: bool
    """Two mechanisms agree, and no more disagree: more replicates would change nothing."""
    remark: str = ""
    disputed: bool = False
    """Nobody is chosen, since they have measured different gradients."""


def decide(candidates: Sequence[Candidate], differences: Differences | None) -> Decision:
    """The candidate of least variance in the camp with most mechanisms, of which it takes two.

    Where nobody has the power to disagree, that is the one which needs no derivative of the cost; where one mechanism
    stands against one, nobody.
    """
    voters: list[Candidate | Differences] = [*candidates, *([] if differences is None else [differences])]
    pairs = itertools.combinations(range(len(voters)), 2)
    opinions = {(a, b): opinion(voters[a], voters[b]) for a, b in pairs}
    disputes = [pair for pair, one in opinions.items() if one.differ]
    camps = _camps(len(voters), [pair for pair, one in opinions.items() if one.agree], disputes)
    camps.sort(key=lambda camp: -len(_mechanisms(voters, camp)))
    first, *others = camps
    against = [camp for camp in others if any(_pair(a, b) in disputes for a, b in itertools.product(first, camp))]
    if len(_mechanisms(voters, first)) > 1 and all(_outvoted(voters, first, camp, disputes) for camp in against):
        remark = "; ".join(_dissent(voters, first, camp) for camp in against)
        return Decision(_best([voters[index] for index in first]), True, remark)
    if disputes:
        return Decision(None, False, _dispute(voters, camps, *disputes[0]), disputed=True)
    free = [voter for voter in candidates if voter.mechanism != "pathwise"]
    return Decision(_best(free), len(voters) == 1, "" if free else UNCHECKED)


def _outvoted(
    voters: Sequence[Candidate | Differences], first: set[int], camp: set[int], disputes: Sequence[tuple[int, int]]
) -> bool:
    """Whether more mechanisms of the first camp contradict the other than that has."""
    contradict = {a for a in first if any(_pair(a, b) in disputes for b in camp)}
    return len(_mechanisms(voters, contradict)) > len(_mechanisms(voters, camp))


def opinion(first: Candidate | Differences, second: Candidate | Differences) -> Opinion:
    """What two voters say of each other; at most one of them is `Differences`, the second."""
    assert isinstance(first, Candidate)
    if isinstance(second, Candidate):
        noisy, sharp = sorted((first, second), key=lambda one: -statistics.total_variance(one.groups).value)
        return noisy.opinion(sharp)
    deviation = second.deviation(first.groups.mean)
    return Opinion(deviation.p_value < DISAGREEMENT and deviation.least > IMMATERIAL, deviation.detectable)


def _test(groups: Groups, reference: np.ndarray, places: Sequence[slice]) -> statistics.BiasTest:
    floor = statistics.rounding_floor(np.finfo(np.float64).eps, reference)
    return statistics.bias_test(groups, reference, floor, places)


def _differ(test: statistics.BiasTest, groups: Groups, reference: np.ndarray) -> bool:
    """Whether a difference is certain, and not too small to matter."""
    least = statistics.squared_bias(groups, reference).low
    material = least > IMMATERIAL**2 * float((reference.mean(0) ** 2).sum())
    return test.p_value < DISAGREEMENT and material


def _camps(count: int, agreeing: Sequence[tuple[int, int]], disputes: Sequence[tuple[int, int]]) -> list[set[int]]:
    """The voters in sets that agree; where all disputes are those of one with all others, that one and the others."""
    for index in range(count):
        if count > 2 and len(disputes) == count - 1 and all(index in pair for pair in disputes):
            return [{index}, set(range(count)) - {index}]
    camps = [{index} for index in range(count)]
    for a, b in agreeing:
        joined = [camp for camp in camps if a in camp or b in camp]
        camps = [camp for camp in camps if camp not in joined] + [set().union(*joined)]
    return camps


def _pair(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


def _best(voters: Sequence[Candidate | Differences]) -> Candidate | None:
    candidates = [voter for voter in voters if isinstance(voter, Candidate)]
    return min(candidates, key=lambda one: statistics.total_variance(one.groups).value, default=None)


def _mechanisms(voters: Sequence[Candidate | Differences], camp: set[int]) -> list[str]:
    return list(dict.fromkeys(voters[index].mechanism for index in sorted(camp)))


def _named(mechanisms: Sequence[str]) -> str:
    return listed(MECHANISMS.get(mechanism, mechanism) for mechanism in mechanisms)


def _dissent(voters: Sequence[Candidate | Differences], first: set[int], camp: set[int]) -> str:
    believed, others = _mechanisms(voters, first), _mechanisms(voters, camp)
    why = SUSPICIONS.get(others[0], "")
    return f"{_named(believed)} agree on the reference gradient, and {_named(others)} differ" + (why and f": {why}")


def _dispute(voters: Sequence[Candidate | Differences], camps: Sequence[set[int]], a: int, b: int) -> str:
    sides = [next(_mechanisms(voters, camp) for camp in camps if index in camp) for index in (a, b)]
    one, other = (_named(side) for side in sides)
    suspicions = "; or ".join(SUSPICIONS[side[0]] for side in sides if side[0] in SUSPICIONS)
    text = f"there is no reference gradient: {one} give one, {other} give another"
    return text + (suspicions and f" ({suspicions})")
