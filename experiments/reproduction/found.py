"""What a measurement says of a published figure."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from experiments.reproduction.figures import Figure
from experiments.statistics import Interval
from experiments.sweep import Published

__all__ = ["PART", "Found", "Verdict", "half_width", "meets", "target"]

Verdict = Literal["agrees", "differs", "undecided", "failed"]
PART = 3
"""A figure is measured to this part of the error with which it was read."""


def half_width(measured: Interval) -> float:
    """The longer arm of an interval; NaN of what is not finite."""
    return float(max(measured.high - measured.value, measured.value - measured.low))


def target(row: Published, measured: Interval) -> float:
    """The half-width that suffices: a third of the error of reading; of what differs, a third of the distance."""
    return (row.error if meets(row, measured) else max(row.error, abs(measured.value - row.value))) / PART


def meets(row: Published, measured: Interval) -> bool:
    """Whether an interval holds anything that may have been read; never where it is not a number."""
    return measured.low <= row.value + row.error and measured.high >= row.value - row.error


@dataclass(frozen=True)
class Found:
    """A figure, as it is measured here; without `measured` there is a reason why not."""

    figure: Figure
    measured: Interval | None
    replicates: int = 0
    reason: str = ""

    @property
    def verdict(self) -> Verdict:
        """`undecided`: the intervals meet, but the measured one is too wide to tell."""
        row, measured = self.figure.row, self.measured
        if measured is None:
            return "failed"
        if not meets(row, measured):
            return "differs"
        return "agrees" if half_width(measured) <= target(row, measured) else "undecided"

    def document(self) -> dict[str, Any]:
        """As JSON has it; what is not finite is null."""
        row, measured = self.figure.row, self.measured or Interval(math.nan, math.nan, math.nan)
        return {
            "sweep": self.figure.sweep,
            "estimator": self.figure.estimator,
            "problem": self.figure.problem,
            "num_samples": self.figure.num_samples,
            "quantity": row.quantity,
            "parameter": row.parameter or None,
            "entry": row.entry if row.quantity == "gradient" else None,
            "gradient_scale": row.gradient_scale,
            "published": row.value,
            "reading_error": row.error,
            "origin": row.origin,
            "source": row.source,
            **{
                name: value if math.isfinite(value) else None
                for name, value in Interval.entries("measured", measured).items()
            },
            "replicates": self.replicates,
            "verdict": self.verdict,
            "reason": self.reason or None,
        }
