"""A contest of estimators without a clock: what they take follows from their replicates, whatever the machine does."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.measuring.loop import extend
from experiments.measuring.measurement import Measurement
from experiments.measuring.moments import Sampling
from experiments.measuring.stop import Stop
from experiments.ranking import contest
from experiments.timing.rounds import Timed, Timing

__all__ = ["LATENCY", "timeless"]

LATENCY = 1e-4
"""Seconds of a gradient of every estimator."""
PACE = 1e-5
"""Seconds of a replicate."""
MOST = 2**17
"""Replicates of an estimator."""


def timeless(patch: pytest.MonkeyPatch, latency: Callable[[str], float] = lambda spec: LATENCY) -> None:
    """Seconds of a contest are replicates; a gradient takes what `latency` says, within 1 % from round to round."""
    clock = [0.0]

    def sampled(sampling: Sampling, stop: Stop) -> Measurement:
        before = sampling.replicates
        found = extend(sampling, replace(stop, max_seconds=None, max_replicates=min(stop.max_replicates, MOST)))
        clock[0] += PACE * (sampling.replicates - before)
        return found

    def timed(steps: Sequence[tuple[str, Timed]], rounds: int, seed: int, advance: Callable[[], None]) -> list[Timing]:
        turns = 1 + 0.01 * np.linspace(-1, 1, rounds)
        return [Timing(latency(spec) * turns, latency(spec) * turns, None, "no machine") for spec, _ in steps]

    patch.setattr(contest, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    patch.setattr(contest, "extend", sampled)
    patch.setattr(contest, "Timed", SimpleNamespace(latency=lambda workload, block: (workload.estimator.spec, None)))
    patch.setattr(contest, "time_gradients", timed)
