"""A value with its 95 % interval, and the three columns that hold one in a table."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Interval"]


class Interval(NamedTuple):
    """An estimate with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def over(self, other: "Interval") -> "Interval":
        """The ratio of two figures that are not negative, where nothing but their intervals is known.

        It reaches 1 where the intervals overlap.
        """
        if self.value == other.value == 0:
            return Interval(1.0, 1.0, 1.0)
        pairs = (self.value, other.value), (self.low, other.high), (self.high, other.low)
        return Interval(*(a / b if b else math.copysign(math.inf, a) if a else math.nan for a, b in pairs))

    @staticmethod
    def columns(name: str) -> tuple[str, str, str]:
        """The columns of an interval in a table: `name`, `name_low` and `name_high`."""
        return name, f"{name}_low", f"{name}_high"

    @classmethod
    def of(cls, row: Mapping[Any, Any], name: str) -> "Interval":
        """The interval in the columns of a row."""
        return cls(*(row[column] for column in cls.columns(name)))

    @classmethod
    def entries(cls, name: str, interval: "Interval | None") -> dict[str, float]:
        """The columns of a row with an interval in them; NaN where there is none."""
        return dict(zip(cls.columns(name), (math.nan,) * 3 if interval is None else interval, strict=True))
