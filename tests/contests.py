"""A contest of estimators without a clock: what they take follows from their replicates, whatever the machine does."""

import re
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from measurements import Custom

from estimators.interface import Problem
from experiments.gradients.workload import Workload
from experiments.machine import deadline
from experiments.measuring import purse
from experiments.measuring.mean_score import Constant
from experiments.measuring.moments import Sampling
from experiments.ranking import pace
from experiments.ranking.budget import Budget
from experiments.ranking.contest import Contest, Outcome
from experiments.ranking.entries import Entry
from experiments.terminal.progress import Narrator, silent
from experiments.timing import price
from experiments.timing.rounds import Timed, Timing

__all__ = ["LATENCY", "PACE", "contest", "named", "timeless", "wanted"]

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


def contest(
    specs: Sequence[str], budget: Budget, progress: Narrator | None = None, problem: Problem | None = None
) -> Outcome:
    entries = [Entry(spec, 4) for spec in specs]
    return Contest(problem or Custom(), "cpu", 0, budget).measure(entries, progress or silent())


def named(reasons: dict[Entry, str]) -> dict[str, str]:
    return {entry.spec: why for entry, why in reasons.items()}


def wanted(why: str, of: str) -> float:
    """What a sentence says that it would take."""
    (found,) = re.findall(rf"([\d,]+) {of} would include it", why)
    return float(found.replace(",", ""))
