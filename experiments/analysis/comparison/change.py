"""A figure before and after, with the interval of their ratio, and when that is a regression."""

import math
from typing import NamedTuple

from scipy import stats

from experiments.statistics import Interval

__all__ = ["Change", "Gate", "counted", "from_logs", "positive"]


LARGEST = 709.0
"""The logarithm of the largest number, or a little less."""


class Gate(NamedTuple):
    """What counts: a ratio above `threshold` (or below its inverse) at a one-sided p-value below `significance`."""

    threshold: float = 1.5
    significance: float = 1e-3


class Change(NamedTuple):
    """A quantity of a cell, before and after."""

    before: float
    after: float
    ratio: Interval
    """After over before, with its 95 % interval; NaN where it is not known."""
    p_larger: float
    """One-sided: how often chance alone makes it grow so much."""
    gated: bool = True
    """Whether it can be a regression: a time of another machine cannot."""

    def worse(self, gate: Gate) -> bool:
        return self.gated and self.ratio.value > gate.threshold and self.p_larger < gate.significance

    def better(self, gate: Gate) -> bool:
        return self.gated and self.ratio.value < 1 / gate.threshold and 1 - self.p_larger < gate.significance


def counted(before: float, after: float) -> Change:
    """The change of figures without an error, which are not negative."""
    ratio = after / before if before else 1.0 if not after else math.inf
    p = 0.5 if before == after else float(after < before)
    return Change(before, after, Interval(ratio, ratio, ratio), p)


def positive(before: float, after: float, log_error: float, freedom: int) -> Change:
    """The change of figures that are not negative, from the standard error of the logarithm of their ratio."""
    if before == after or not (before and after):
        return counted(before, after)
    return from_logs(before, after, math.log(after / before), log_error, freedom)


def from_logs(before: float, after: float, shift: float, error: float, freedom: int) -> Change:
    """From the logarithm of a ratio and its standard error, infinite where it is not known."""
    if not math.isfinite(error) or freedom < 1:
        return Change(before, after, Interval(_exp(shift), 0.0, math.inf), 0.5)
    half = float(stats.t.ppf(0.975, freedom)) * error
    p = float(stats.t.sf(shift / error, freedom)) if error else 0.5 if not shift else float(shift < 0)
    return Change(before, after, Interval(*(_exp(shift + end) for end in (0.0, -half, half))), p)


def _exp(logarithm: float) -> float:
    """Infinite where it is too large for a number."""
    return math.exp(logarithm) if logarithm < LARGEST else math.inf
