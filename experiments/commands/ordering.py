"""The order of estimators by error and time, ties, and the sentence that says which one to use."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from experiments.statistics import Interval

__all__ = ["Ranked", "advice", "in_order"]


@dataclass(frozen=True)
class Ranked:
    """An estimator and its place."""

    estimator: str
    figure: Interval
    """MSE times seconds, or variance times seconds where there is no reference gradient."""
    biased: bool
    tied: bool = False
    """Its interval reaches that of the best."""

    @property
    def finite(self) -> bool:
        return math.isfinite(self.figure.value)

    @property
    def usable(self) -> bool:
        return self.finite and not self.biased


def in_order(entries: Iterable[Ranked]) -> list[Ranked]:
    """The usable ones from the best on, behind them the biased, and last those whose figure is not finite."""
    found = sorted(entries, key=lambda one: (not one.usable, not one.finite, one.figure.value if one.finite else 0.0))
    return [replace(one, tied=one.usable and one.figure.low <= found[0].figure.high) for one in found]


def advice(ranking: Sequence[Ranked]) -> str:
    """What to use, in a sentence; the ranking is in order."""
    usable = [one for one in ranking if one.usable]
    if not usable:
        return "Every estimator that supports this problem is biased or not finite here: none can be recommended."
    best, ties = usable[0], [one.estimator for one in usable[1:] if one.tied]
    clear = next((one for one in usable[1:] if not one.tied), None)
    sentence = f"Use {best.estimator}"
    if ties:
        more = f" and {len(ties) - 1} more" if len(ties) > 1 else ""
        sentence += f" (or {ties[0]}{more}, which it is not told apart from)"
    if clear is not None and best.figure.value > 0:
        times = clear.figure.value / best.figure.value
        sentence += f": {times:.3g} times less error for the time than {clear.estimator}"
    return f"{sentence}."
