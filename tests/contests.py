"""A contest of estimators without a clock: what they take follows from their replicates, whatever the machine does."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.gradients.workload import Workload
from experiments.machine import deadline
from experiments.measuring import purse
from experiments.measuring.mean_score import Constant
from experiments.measuring.moments import Sampling
from experiments.ranking import pace
from experiments.timing import price
from experiments.timing.rounds import Timed, Timing

__all__ = ["LATENCY", "PACE", "timeless"]

LATENCY = 1e-4
"""Seconds of a gradient of every estimator."""
PACE = 1e-5
"""Seconds of a replicate."""


def timeless(
    patch: pytest.MonkeyPatch,
    latency: Callable[[str], float] = lambda spec: LATENCY,
    replicate: Callable[[str], float] = lambda spec: PACE,
) -> list[float]:
    """Seconds of a contest are replicates; a gradient takes what `latency` says, within 1 % from round to round.

    A list with the time.
    """
    clock, grow = [0.0], Sampling.grow

    def seconds(workload: Workload, replicates: int) -> float:
        found = latency(workload.estimator.spec) + (replicates - 1) * replicate(workload.estimator.spec)
        clock[0] += found
        return found

    def grown(self: Sampling, replicates: int) -> None:
        grow(self, replicates)
        if not isinstance(self.workload.problem, Constant):  # the mean score takes no evaluations of the cost
            clock[0] += replicates * replicate(self.workload.estimator.spec)

    def timed(steps: Sequence[Timed], rounds: int, seed: int) -> list[Timing]:
        turns = 1 + 0.01 * np.linspace(-1, 1, rounds)
        found = [latency(step.workload.estimator.spec) * turns for step in steps]
        clock[0] += sum(step.calls[0] * one.sum() for step, one in zip(steps, found, strict=True))
        return [Timing(one, one, None, "no machine") for one in found]

    patch.setattr(purse, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    patch.setattr(price, "seconds", seconds)
    patch.setattr(deadline, "signal", SimpleNamespace())
    patch.setattr(Sampling, "grow", grown)
    patch.setattr(pace, "time_gradients", timed)
    return clock
