"""What is ranked: estimators as they were measured just now, or as a run has stored them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

from estimators.interface import Estimator
from estimators.registry import make_estimator
from experiments.measuring.measurement import Measurement
from experiments.ranking.order import Ranked
from experiments.statistics import Interval

__all__ = ["Entry", "Quantity", "measured", "quantity"]

Quantity = Literal["MSE", "variance"]


@final
@dataclass(frozen=True)
class Entry:
    """Who takes part in a contest: an estimator with a number of samples."""

    spec: str
    num_samples: int
    given: Estimator | None = field(default=None, repr=False, compare=False)
    """The estimator itself, where no spec makes it: one of a class that is not registered."""

    @classmethod
    def of(cls, one: Measurement) -> "Entry":
        """Whose measurement this is."""
        return cls(one.estimator, one.num_samples)

    @property
    def estimator(self) -> Estimator:
        return make_estimator(self.spec) if self.given is None else self.given


def quantity(mse_known: Iterable[bool]) -> Quantity:
    """What is multiplied by time: the MSE, or the variance where no estimator of the problem has a reference."""
    return "MSE" if any(mse_known) else "variance"


def measured(found: Sequence[Measurement]) -> list[Ranked]:
    """Entries of measurements of one problem that are timed in turn; of as many rounds, in the same turns."""
    column = "mse" if quantity(one.mse is not None for one in found) == "MSE" else "total_variance"
    return [_entry(one, column) for one in found]


def _entry(one: Measurement, column: Literal["mse", "total_variance"]) -> Ranked:
    assert one.timing is not None
    work = one.work(column, turns=len(one.timing.latency))
    figure = Interval(math.nan, math.nan, math.nan) if work is None else work.interval
    biased = "biased" in (one.verdict, one.claim)
    seen, still = one.verdict == "biased", one.total_variance.value == 0
    return Ranked(one.estimator, figure, biased, one.target, work, seen=seen, still=still)
