"""What the fit of an estimator costs beside its gradients: the figure that is ranked by leaves it out."""

import math
from collections.abc import Sequence

from experiments.measuring.measurement import Measurement
from experiments.ranking.entries import Standing
from experiments.ranking.order import By, Ranked
from experiments.terminal.numbers import number, seconds

__all__ = ["pays_after", "price_of_the_fit", "time_and_fit"]


def time_and_fit(one: Measurement) -> str:
    """The time of a gradient and, where the estimator was fitted, that of its fit."""
    time = "" if one.seconds_per_gradient is None else seconds(one.seconds_per_gradient.value)
    return f"{time}, fit {seconds(one.fit_seconds)}" if one.fitted else time


def price_of_the_fit(standings: Sequence[Standing], by: By = "seconds") -> str:
    """What the fit of the first costs, in a sentence; '' where it was not fitted. The standings are in order."""
    usable = [standing for standing in standings if standing.ranked.usable]
    if not usable or not usable[0].one.fitted:
        return ""
    first, best = usable[0]
    rival = next((standing.ranked for standing in usable if not standing.one.fitted), None)
    assert best.seconds_per_gradient is not None
    time = best.seconds_per_gradient.value
    sentence = f"Its fit takes {seconds(best.fit_seconds)}, as long as {_in_steps(_steps(best.fit_seconds / time))}"
    if rival is not None and by == "seconds":
        steps = pays_after(best.fit_seconds, time, _ratio(rival, first))
        after = f"pays after {_in_steps(max(steps, 1))}" if math.isfinite(steps) else "does not pay"
        sentence += f", and {after} against {rival.name}, which needs none"
    return f"{sentence}; without it, `step` teaches the estimator as training goes."


def _ratio(rival: Ranked, first: Ranked) -> float:
    """By how much the error of the rival is larger: by any factor than one of 0, unless it is 0 itself."""
    if first.figure.value > 0:
        return rival.figure.value / first.figure.value
    return math.inf if rival.figure.value > 0 else 1.0


def pays_after(fit: float, time: float, ratio: float) -> float:
    """The steps after which a fit is paid, against an estimator whose error for the time is `ratio` times as large.

    After N steps the errors are w / (N t) and, in the same time N t + F, r w / (N t + F): equal at N t (r − 1) = F.
    """
    return _steps(fit / time / (ratio - 1)) if ratio > 1 else math.inf


def _steps(count: float) -> float:
    return math.ceil(count) if math.isfinite(count) else math.inf


def _in_steps(count: float) -> str:
    return f"{number(count)} step{'' if count == 1 else 's'}"
