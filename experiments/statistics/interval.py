"""A value with its 95 % interval."""

import math
from typing import NamedTuple

__all__ = ["Interval"]


class Interval(NamedTuple):
    """An estimate with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def over(self, other: "Interval") -> "Interval":
        """The ratio of two figures that are not negative, of which nothing but intervals is known.

        It reaches 1 where the intervals overlap.
        """
        if self.value == other.value == 0:
            return Interval(1.0, 1.0, 1.0)
        pairs = (self.value, other.value), (self.low, other.high), (self.high, other.low)
        return Interval(*(a / b if b else math.copysign(math.inf, a) if a else math.nan for a, b in pairs))
