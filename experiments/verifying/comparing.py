"""A figure as it is kept and as it was computed anew: how often chance alone would set both so far apart.

Who forges a figure may forge its interval, too. So where what is kept looks better than what comes out here, its error
counts at no more than some times that here, or a little of the figure: it may have met a rare small estimate. Where it
looks worse, it may have met a rare large one, and its error knows that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from experiments.statistics import GROUPS, Interval, log_standard_error

__all__ = ["Figure", "certain", "linear", "missing", "positive", "shares", "shown", "two_sided", "worst"]

WIDER, LITTLE = 2.0, 0.02
"""How many times the error here one that is kept counts at the most, since with 64 groups each is known to a tenth or
so; and what part of the figure it counts anyway."""
NEAR = 4.0
"""How many times what rounding makes is still rounding."""
ROUNDED = 1e-5
"""What rounding to float32 leaves of a figure that is compared by its difference, relative to it."""


@dataclass(frozen=True)
class Figure:
    """A figure, and how often chance alone would set both sides so far apart."""

    name: str
    kept: str
    here: str
    p_value: float


def certain(name: str, kept: Any, here: Any) -> Figure:
    """Of what has no noise, where both sides differ."""
    return Figure(name, str(kept), str(here), 0.0)


def missing(name: str, here: Interval) -> Figure:
    """Of what came out here, and is not kept."""
    return certain(name, "missing", shown(here))


def positive(name: str, kept: Interval, here: Interval, floor: float, more: float = 1.0) -> Figure:
    """By the logarithm of their ratio; the smaller, the better, and what is below the floor is alike.

    Args:
        more: how many times the replicates of what is kept there are here.
    """
    values = [max(side.value, floor) for side in (kept, here)]
    told = name, shown(kept), shown(here)
    if values[0] == values[1]:
        return Figure(*told, 1.0)
    if not all(map(math.isfinite, values)):
        return Figure(*told, float(here.high == math.inf and math.isfinite(kept.value)))
    with np.errstate(all="ignore"):
        theirs, own = (log_standard_error(side) if side.value > floor else 0.0 for side in (kept, here))
    if min(values) <= floor:
        return Figure(*told, 1.0 if max(values) < NEAR * floor else _nothing_seen(theirs or own))
    if not math.isfinite(own):
        return Figure(*told, 1.0)
    error = math.hypot(own, _counted(theirs, max(WIDER * math.sqrt(more) * own, LITTLE), values[0] < values[1]))
    shift = abs(math.log(values[1] / values[0]))
    return Figure(*told, 1.0 if math.isinf(error) else two_sided(shift / error) if error else 0.0)


def _nothing_seen(error: float) -> float:
    """How likely nothing is seen of what makes all the variance elsewhere, whose logarithm is known to this error.

    Events that are as large and of which some `n` were seen give an error of 1/√n.
    """
    if not error or not math.isfinite(error):
        return float(bool(error))
    return math.exp(-(min(1 / error, 30.0) ** 2))


def linear(
    name: str, kept: Interval, here: Interval, more: float = 1.0, better: float = 0.0, freedom: int = GROUPS - 1
) -> Figure:
    """By the arms of the intervals that reach towards each other.

    Args:
        more: how many times the replicates of what is kept there are here.
        better: positive where more is better, negative where less is; 0: neither.
    """
    below, above = sorted((kept, here))
    told = name, shown(kept), shown(here)
    own, theirs = ((one.high - one.value) if one is below else (one.value - one.low) for one in (here, kept))
    width, difference = here.high - here.low, above.value - below.value
    most = max(WIDER * more * width, 2 * LITTLE * abs(here.value))  # arms are two standard errors
    arms = math.hypot(own, _counted(theirs, most, better * (kept.value - here.value) > 0), ROUNDED * here.value)
    if not difference or not math.isfinite(width) or not math.isfinite(arms):
        return Figure(*told, 1.0)
    quantile = float(stats.t.ppf(0.975, freedom))
    return Figure(*told, two_sided(quantile * difference / arms, freedom) if arms else 0.0)


def _counted(theirs: float, most: float, looks_better: bool) -> float:
    """What counts of the error that is kept."""
    if math.isnan(theirs):
        theirs = math.inf
    return min(theirs, most) if looks_better else theirs


def shares(name: str, kept: tuple[int, int], here: tuple[int, int]) -> Figure:
    """How many of how many met something (Fisher's exact test)."""
    found: Any = stats.fisher_exact([[some, of - some] for some, of in (kept, here)])
    kept_as, here_as = (f"{some} of {of}" for some, of in (kept, here))
    return Figure(name, kept_as, here_as, float(found.pvalue))


def worst(name: str, found: Sequence[Figure]) -> Figure:
    """The figure that is furthest apart, its p-value corrected for the number of them."""
    if not found:
        return Figure(name, "", "", 1.0)
    first = min(found, key=lambda figure: figure.p_value)
    return Figure(f"{name} of {first.name}", first.kept, first.here, min(1.0, first.p_value * len(found)))


def two_sided(score: float, freedom: int = GROUPS - 1) -> float:
    """The p-value of a score; 0 of one that is no number, which nothing here gives."""
    return 0.0 if math.isnan(score) else 2 * float(stats.t.sf(score, freedom))


def shown(interval: Interval) -> str:
    value, low, high = interval
    return f"{value:.4g} [{low:.4g}, {high:.4g}]"
