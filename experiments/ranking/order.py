"""The order of estimators by error and time, ties, and the sentence that says which one to use."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from experiments.analysis.objectives import has_own_objective
from experiments.measuring.measurement import Measurement
from experiments.statistics import Interval, relative_half_width

__all__ = ["Ranked", "advice", "in_order", "undecided"]


@dataclass(frozen=True)
class Ranked:
    """An estimator and its place."""

    estimator: str
    figure: Interval
    """MSE times seconds, or variance times seconds where there is no reference gradient."""
    biased: bool
    own_objective: bool = False
    """It estimates the gradient of something else than the expected cost: errors of the two cannot be compared."""
    tied: bool = False
    """Its interval reaches that of the best."""

    @classmethod
    def of(cls, one: Measurement) -> "Ranked":
        figure = one.work_normalized_mse or one.work_normalized_variance
        assert figure is not None
        return cls(one.estimator, figure, "biased" in (one.verdict, one.claim), has_own_objective(one.estimator))

    @property
    def finite(self) -> bool:
        return math.isfinite(self.figure.value)

    @property
    def usable(self) -> bool:
        return self.finite and not self.biased and not self.own_objective


def in_order(entries: Iterable[Ranked]) -> list[Ranked]:
    """The usable ones, best first; then the biased, those of another objective, and who is not finite."""

    def rank(one: Ranked) -> tuple[bool, bool, bool, float]:
        return not one.usable, not one.finite, one.own_objective, one.figure.value if one.finite else 0.0

    found = sorted(entries, key=rank)
    return [replace(one, tied=one.usable and one.figure.low <= found[0].figure.high) for one in found]


def undecided(measurements: Iterable[Measurement], precise: float) -> list[str]:
    """Those that may be the best, while one of them is not known to a relative half-width of `precise`."""
    contenders = [one for one in in_order(map(Ranked.of, measurements)) if one.tied]
    settled = all(relative_half_width(one.figure) <= precise for one in contenders)
    return [] if settled else [one.estimator for one in contenders]


def advice(ranking: Sequence[Ranked], quantity: str) -> str:
    """What to use, in a sentence; the ranking is in order, by `quantity` × time."""
    usable = [one for one in ranking if one.usable]
    if not usable:
        return "Every estimator of this problem's gradient is biased or not finite here: none can be recommended."
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
