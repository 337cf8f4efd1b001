"""Error times what a gradient costs, and the ratio of two of them from the groups and rounds that they share."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.statistics import laws as stats
from experiments.statistics.derived import log_median_standard_error, log_standard_error, work_normalized
from experiments.statistics.groups import GROUPS, jackknife_error
from experiments.statistics.interval import Interval

__all__ = ["Work"]


@dataclass(frozen=True, eq=False)
class Work:
    """A variance or mean squared error times what one gradient costs: seconds, or evaluations (Glynn & Whitt 1992)."""

    quantity: Interval
    logs: np.ndarray | None
    """Logarithms of the quantity without group k, [G]; None: not known, or not all positive."""
    price: np.ndarray
    """Seconds of one gradient, one figure a timing round; or its evaluations of the cost, the same in each."""
    turns: Hashable | None = None
    """Rounds that were timed in turn with those of another have the same `turns`; None: with no other's."""
    noise: Hashable | None = None
    """Groups of quantities with the same `noise` are paired; others are independent, whatever they say."""

    @cached_property
    def interval(self) -> Interval:
        return work_normalized(self.quantity, self.price)

    @np.errstate(all="ignore")
    def over(self, other: "Work") -> Interval:
        """The ratio to another, with its 95 % interval.

        Group k of both has the same replicates, or the first of the same: where both met the same noise, what it does
        to both cancels in the jackknife of the paired log-ratios, and where they did not, their errors add up there.
        """
        if other.interval.value == 0:
            return self.interval.over(other.interval)
        value = self.interval.value / other.interval.value
        rounds = min(len(self.price), len(other.price))
        error, of_price = self._error(other), self._price_error(other)
        if not (0 < value < np.inf and np.isfinite(error) and np.isfinite(of_price)):
            return self.interval.over(other.interval)
        half = np.hypot(stats.t.ppf(0.975, GROUPS - 1) * error, stats.t.ppf(0.975, rounds - 1) * of_price)
        return Interval(value, float(value * np.exp(-half)), float(value * np.exp(half)))

    def _error(self, other: "Work") -> float:
        if self.logs is None or other.logs is None or self.noise != other.noise:
            return float(np.hypot(log_standard_error(self.quantity), log_standard_error(other.quantity)))
        return float(jackknife_error(self.logs - other.logs))

    def _price_error(self, other: "Work") -> float:
        if self.turns is not None and self.turns == other.turns:
            return log_median_standard_error(self.price / other.price)
        return float(np.hypot(log_median_standard_error(self.price), log_median_standard_error(other.price)))
