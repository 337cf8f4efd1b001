"""The order of estimators on a problem: who is better, who is tied with the best, and who has no place.

`gradmark rank`, the report and the map of work all ask this module.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from estimators.interface import EXPECTED_COST
from experiments.statistics import Interval, Work, relative_half_width
from experiments.terminal.numbers import number

__all__ = ["YARDSTICK", "Ranked", "advice", "in_order", "places", "undecided"]

YARDSTICK = "exact"
"""The estimator without noise that others are held against."""
CLAIMED = "claims a bias"
ASIDE = {"": 0, "biased": 1, CLAIMED: 1, "other objective": 2, "yardstick": 3, "not finite": 4}
"""Why an estimator has no place, in the order in which they follow those that have one."""
VAGUE = 10.0
"""The ratio of the ends of an interval from which on a figure recommends nothing."""


@dataclass(frozen=True)
class Ranked:
    """An estimator and its place."""

    estimator: str
    figure: Interval
    """MSE times seconds, or variance times seconds where no estimator of the problem has a reference."""
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

    @property
    def aside(self) -> str:
        """Why it has no place; '' where it has one."""
        if self.estimator.partition(":")[0] == YARDSTICK:
            return "yardstick"
        if self.target != EXPECTED_COST.name:
            return "other objective"
        if not math.isfinite(self.figure.value):
            return "not finite"
        return ("biased" if self.seen else CLAIMED) if self.biased else ""

    @property
    def rank(self) -> tuple[int, float, float]:
        """What entries are sorted by: those that have a place first, the smallest figure, and of equals the fastest."""
        seconds = 0.0 if self.work is None else float(median(self.work.seconds))
        return ASIDE[self.aside], self.figure.value if math.isfinite(self.figure.value) else 0.0, seconds

    @property
    def usable(self) -> bool:
        return not self.aside

    @property
    def comparable(self) -> bool:
        """Its figure is one of the same gradient, biased or not."""
        return self.aside in ("", "biased", CLAIMED)

    @property
    def vague(self) -> bool:
        """The interval of its error spans a decade; times that are noisy for all cancel in ratios."""
        error = self.figure if self.work is None else self.work.quantity
        return not self.still and error.high > VAGUE * max(error.low, 0.0)

    @property
    def tied(self) -> bool:
        """It is not told apart from the best."""
        return self.ratio is not None and self.ratio.low <= 1

    def over(self, best: "Ranked") -> Interval:
        """The ratio to another."""
        if self.work is not None and best.work is not None:
            return self.work.over(best.work)
        return self.figure.over(best.figure)


def places(entries: Iterable[Ranked]) -> list[tuple[int, Ranked]]:
    """Entries with their index: those that have a place, best first; then the others, by why they have none."""
    found = sorted(enumerate(entries), key=lambda numbered: numbered[1].rank)
    return [(index, replace(one, ratio=one.over(found[0][1]) if one.usable else None)) for index, one in found]


def in_order(entries: Iterable[Ranked]) -> list[Ranked]:
    """The entries alone, in the order of `places`."""
    return [one for _, one in places(entries)]


def undecided(entries: Iterable[Ranked], precise: float) -> list[str]:
    """The estimators still tied for best; empty once the ratio of each to the best is known to within `precise`."""
    tied = [one for one in in_order(entries) if one.tied]
    settled = all(relative_half_width(one.ratio) <= precise for one in tied[1:] if one.ratio is not None)
    return [] if settled else [one.estimator for one in tied]


def advice(ranking: Sequence[Ranked], quantity: str) -> str:
    """What to use, in a sentence; the ranking is in order, by `quantity` × time."""
    usable = [one for one in ranking if one.usable]
    if not usable:
        return "Every estimator of this problem's gradient is biased or not finite here: none can be recommended."
    if usable[0].vague:
        return _no_advice(usable, quantity)
    best, ties = usable[0], [one.estimator for one in usable[1:] if one.tied]
    clear = next((one for one in usable[1:] if not one.tied), None)
    sentence = f"Use {best.estimator}"
    if ties:
        more = f" and {len(ties) - 1} more" if len(ties) > 1 else ""
        sentence += f" (or {ties[0]}{more}, which it is not told apart from)"
    if clear is not None and best.figure.value > 0:
        times = clear.figure.value / best.figure.value
        sentence += f": {times:.3g} times less {quantity} for the time than {clear.estimator}"
    return f"{sentence}."


def _no_advice(usable: Sequence[Ranked], quantity: str) -> str:
    """Why there is none, and the best of those that are known better."""
    best = usable[0]
    ends = f"{number(best.figure.low)} to {number(best.figure.high)}"
    sentence = (
        f"No advice: {best.estimator} comes first, but its {quantity} × s may be anything from {ends}. More --seconds "
        "narrow that, unless a warning says why they do not"
    )
    known = next((one for one in usable[1:] if not one.vague), None)
    return f"{sentence}. Of those that are known better, {known.estimator} comes first." if known else f"{sentence}."
