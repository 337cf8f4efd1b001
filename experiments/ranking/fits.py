"""What the fit of an estimator costs beside its gradients: the figure that is ranked by leaves it out."""

import math
from collections.abc import Mapping, Sequence

from experiments.measuring.measurement import Measurement
from experiments.ranking.order import Ranked
from experiments.terminal.numbers import number, seconds

__all__ = ["pays_after", "price_of_the_fit", "time_and_fit"]


def time_and_fit(one: Measurement) -> str:
    """The time of a gradient and, where the estimator was fitted, that of its fit."""
    assert one.seconds_per_gradient is not None
    time = seconds(one.seconds_per_gradient.value)
    return f"{time}, fit {seconds(one.fit_seconds)}" if one.fitted else time


def price_of_the_fit(ranking: Sequence[Ranked], measured: Mapping[str, Measurement]) -> str:
    """What the fit of the first costs, in a sentence; '' where it was not fitted. The ranking is in order."""
    usable = [one for one in ranking if one.usable]
    if not usable or not measured[usable[0].estimator].fitted:
        return ""
    best = measured[usable[0].estimator]
    rival = next((one for one in usable if not measured[one.estimator].fitted), None)
    assert best.seconds_per_gradient is not None
    time = best.seconds_per_gradient.value
    sentence = f"Its fit takes {seconds(best.fit_seconds)}, as long as {number(_steps(best.fit_seconds / time))} steps"
    if rival is not None:
        steps = pays_after(best.fit_seconds, time, rival.figure.value / usable[0].figure.value)
        after = f"pays after {number(steps)} steps" if math.isfinite(steps) else "does not pay"
        sentence += f", and {after} against {rival.estimator}, which needs none"
    return f"{sentence}; without it, `step` teaches the estimator as training goes."


def pays_after(fit: float, time: float, ratio: float) -> float:
    """The steps after which a fit is paid, against an estimator whose error for the time is `ratio` times as large.

    After N steps the errors are w / (N t) and, in the same time N t + F, r w / (N t + F): equal at N t (r − 1) = F.
    """
    return _steps(fit / time / (ratio - 1)) if ratio > 1 else math.inf


def _steps(count: float) -> float:
    return math.ceil(count) if math.isfinite(count) else math.inf
