"""The order of estimators on a problem: who is better, who is tied with the best, and who has no place.

`gradmark rank`, the report and the map of work all ask this module.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal, TypeVar

from estimators.interface import EXPECTED_COST
from experiments.statistics import Interval, Work, relative_half_width

__all__ = [
    "DISPUTED",
    "PLAIN",
    "UNITS",
    "YARDSTICK",
    "By",
    "Ranked",
    "groups",
    "in_order",
    "named",
    "places",
    "plain_of",
    "undecided",
]

T = TypeVar("T")

By = Literal["seconds", "evaluations"]
"""What an error is multiplied by."""
UNITS: dict[By, str] = {"seconds": "s", "evaluations": "evaluations"}

PLAIN = ("pathwise", "score-function")
"""What is used where nobody chooses: the first of these that was measured on a problem."""
YARDSTICK = "exact"
"""The estimator without noise that others are held against."""
CLAIMED = "claims a bias"
DISPUTED = "disputed"
ASIDE = {"": 0, DISPUTED: 1, "biased": 2, CLAIMED: 2, "other objective": 3, "yardstick": 4, "not finite": 5}
"""Why an estimator has no place, in the order in which they follow those that have one."""
VAGUE = 10.0
"""The ratio of the ends of an interval from which on a figure recommends nothing."""


def plain_of(found: Iterable[T], estimator: Callable[[T], str]) -> T | None:
    """Who is used where nobody chooses, among some whose estimators are told; None: that was not measured."""
    first: dict[str, T] = {}
    for one in found:
        first.setdefault(estimator(one), one)
    return next((first[name] for name in PLAIN if name in first), None)


@dataclass(frozen=True)
class Ranked:
    """An estimator and its place."""

    estimator: str
    figure: Interval
    """MSE times seconds or evaluations, or variance times them where no estimator of the problem has a reference."""
    biased: bool = False
    """It is biased by its own claim, or was found to be."""
    target: str = EXPECTED_COST.name
    """What its gradient is of: errors in two targets cannot be compared."""
    work: Work | None = None
    """The figure with its groups, where they are at hand: ties are then decided by pairs."""
    ratio: Interval | None = None
    """The ratio to the best; None where it has no place."""
    seen: bool = True
    """Where it is biased: the bias was found, and is not only claimed."""
    still: bool = False
    """Nothing varies: what error it has is that of rounding, whose interval says nothing."""
    blind: bool = False
    """Every estimate was the same, and every cost: what error it has depends on an event that was not seen."""
    disputed: bool = False
    """Who measured the gradient has found different ones, and nothing tells which is right."""
    num_samples: int | None = None
    """None where all have the same."""

    @property
    def name(self) -> str:
        """Whom to use: the estimator, and with how many samples where that differs."""
        return self.estimator if self.num_samples is None else named(self.estimator, self.num_samples)

    @property
    def aside(self) -> str:
        """Why it has no place; '' where it has one."""
        if self.estimator.partition(":")[0] == YARDSTICK:
            return "yardstick"
        if self.target != EXPECTED_COST.name:
            return "other objective"
        if not math.isfinite(self.figure.value):
            return "not finite"
        if self.biased:
            return "biased" if self.seen else CLAIMED
        return DISPUTED if self.disputed else ""

    @property
    def rank(self) -> tuple[int, float, float]:
        """What entries are sorted by: who has a place first, then the smallest figure, and of equals the cheapest."""
        price = 0.0 if self.work is None else float(median(self.work.price))
        return ASIDE[self.aside], self.figure.value if math.isfinite(self.figure.value) else 0.0, price

    @property
    def usable(self) -> bool:
        return not self.aside

    @property
    def comparable(self) -> bool:
        """Its figure is one of the same gradient, biased or not."""
        return self.aside in ("", DISPUTED, "biased", CLAIMED)

    @property
    def vague(self) -> bool:
        """The interval of its error spans a decade; times that are noisy for all cancel in ratios."""
        error = self.figure if self.work is None else self.work.quantity
        return self.blind or (not self.still and error.high > VAGUE * max(error.low, 0.0))

    @property
    def tied(self) -> bool:
        """It is not told apart from the best."""
        return self.ratio is not None and self.ratio.low <= 1

    def over(self, best: "Ranked") -> Interval:
        """The ratio to another."""
        if self.work is not None and best.work is not None:
            return self.work.over(best.work)
        return self.figure.over(best.figure)


def named(estimator: str, num_samples: int) -> str:
    """An estimator with a number of samples, in words."""
    return f"{estimator} with {'1 sample' if num_samples == 1 else f'{num_samples:,} samples'}"


def places(entries: Iterable[Ranked]) -> list[tuple[int, Ranked]]:
    """Entries with their index: those that have a place, best first; then the others, by why they have none."""
    found = sorted(enumerate(entries), key=lambda numbered: numbered[1].rank)
    return [(index, replace(one, ratio=one.over(found[0][1]) if one.usable else None)) for index, one in found]


def in_order(entries: Iterable[Ranked]) -> list[Ranked]:
    """The entries alone, in the order of `places`."""
    return [one for _, one in places(entries)]


def groups(entries: Sequence[Ranked]) -> tuple[list[list[int]], list[int]]:
    """The indices of entries: those tied for best, those tied for best of what is left, and so on; then the others.

    The others are those that have no place.
    """
    found: list[list[int]] = []
    left = list(range(len(entries)))
    while True:
        ordered = [(left[place], one) for place, one in places(entries[index] for index in left)]
        usable = [index for index, one in ordered if one.usable]
        if not usable:
            return found, [index for index, _ in ordered]
        found.append([index for index, one in ordered if one.tied] or usable[:1])
        left = [index for index in left if index not in found[-1]]


def undecided(entries: Iterable[Ranked], precise: float) -> list[str]:
    """The estimators still tied for best; empty once the ratio of each to the best is known to within `precise`."""
    tied = [one for one in in_order(entries) if one.tied]
    settled = all(relative_half_width(one.ratio) <= precise for one in tied[1:] if one.ratio is not None)
    return [] if settled else [one.estimator for one in tied]
