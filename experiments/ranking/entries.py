"""What is ranked: estimators with a number of samples, as they were measured just now."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, final

from estimators.interface import EXPECTED_COST, Estimator
from estimators.registry import make_estimator
from experiments.measuring.measurement import DISPUTED_REFERENCE, Measurement
from experiments.ranking.order import By, Ranked, places
from experiments.statistics import Interval

__all__ = ["Entry", "Quantity", "Standing", "measured", "quantity", "ranked"]

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


class Standing(NamedTuple):
    """A measurement and its place."""

    ranked: Ranked
    one: Measurement


def quantity(known: Iterable[tuple[str | None, bool]]) -> Quantity:
    """What is multiplied by time: the MSE, or the variance where no estimator of the problem has a reference.

    That is told by the targets of the estimators, and whether the MSE of each is known: those of the expected cost
    decide, as a bound may have a reference where that has none; where there are no such, the others.
    """
    found = [(target or EXPECTED_COST.name, mse) for target, mse in known]
    of_cost = [mse for target, mse in found if target == EXPECTED_COST.name]
    return "MSE" if any(of_cost or (mse for _, mse in found)) else "variance"


def ranked(found: Sequence[Measurement], by: By = "seconds") -> list[Standing]:
    """Measurements of one problem in the order of their places."""
    return [Standing(one, found[index]) for index, one in places(measured(found, by))]


def measured(found: Sequence[Measurement], by: By = "seconds") -> list[Ranked]:
    """Entries of measurements of one problem that are timed in turn; of as many rounds, in the same turns."""
    column = "mse" if quantity((one.target, one.mse is not None) for one in found) == "MSE" else "total_variance"
    several = len({one.num_samples for one in found}) > 1
    return [_entry(one, column, by, several) for one in found]


def _entry(one: Measurement, column: Literal["mse", "total_variance"], by: By, several: bool) -> Ranked:
    if by == "evaluations":
        work = one.work_in_evaluations(column)
    else:
        assert one.timing is not None
        work = one.work(column, turns=len(one.timing.latency))
    return Ranked(
        one.estimator,
        Interval(math.nan, math.nan, math.nan) if work is None else work.interval,
        biased="biased" in (one.verdict, one.claim),
        target=one.target,
        work=work,
        seen=one.verdict == "biased",
        still=one.total_variance.value == 0,
        disputed=DISPUTED_REFERENCE in one.diagnostics,
        blind=one.total_variance.value == 0 and math.isinf(one.total_variance.high),
        num_samples=one.num_samples if several else None,
    )
