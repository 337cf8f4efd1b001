"""Races without a clock: what they take follows from their steps, whatever the machine does."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.ranking import laps, race, racers, racing
from experiments.timing.rounds import Timed, Timing
from experiments.training import objective
from experiments.training.optimisation import Optimisation

__all__ = ["steps_alone_take_time"]


def steps_alone_take_time(patch: pytest.MonkeyPatch, seconds: Mapping[str, float]) -> None:
    """A step takes so many seconds, by the name of its estimator, and nothing else takes any."""
    clock, advance = [0.0], Optimisation.advance

    def step(self: Optimisation) -> None:
        clock[0] += seconds[self.workload.estimator.name]
        advance(self)

    def time_gradients(steps: Sequence[Timed], rounds: int) -> list[Timing]:
        latencies = [np.full(rounds, seconds[step.workload.estimator.name]) for step in steps]
        return [Timing(latency, latency, None, "no machine") for latency in latencies]

    patch.setattr(Optimisation, "advance", step)
    patch.setattr(racers, "time_gradients", time_gradients)
    for module in (race, racing, laps, racers, objective):
        patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0], perf_counter=lambda: clock[0]))
