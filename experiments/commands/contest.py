"""Estimators measured against each other on one problem, within a budget of seconds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from estimators.interface import Problem
from estimators.registry import make_estimator
from experiments.console import Narrator
from experiments.engine import reason
from experiments.measurement import Measurement
from experiments.measuring import estimate
from experiments.reference import References
from experiments.sweep import Stop
from experiments.timing import ROUNDS, Timed, time_gradients
from experiments.workload import prepare

__all__ = ["Contest"]

RTOL = 0.05
TIMING_SHARE = 0.3
"""Of the budget; the rest is for the variances."""
CALIBRATION = 2
"""Calls that find out how long a block is."""


@dataclass(frozen=True)
class Contest:
    """What is measured on, and the budget of all estimators together.

    The reference gradient, where it has to be measured, is not in the budget. What is not cut short either: a fit, and
    the first block of replicates; whoever takes longer than its share leaves less to those behind it.
    """

    problem: Problem
    num_samples: int
    device: str
    seed: int
    seconds: float

    def measure(self, specs: Sequence[str], progress: Narrator) -> tuple[list[Measurement], dict[str, str]]:
        """The measurements, and why the other estimators have none."""
        references = References()
        timed: list[Timed] = []
        measurements: list[Measurement] = []
        failed: dict[str, str] = {}
        block = self.seconds * TIMING_SHARE / max(len(specs) * (ROUNDS + CALIBRATION), 1)
        deadline = time.monotonic() + self.seconds * (1 - TIMING_SHARE)
        progress.start("measuring", len(specs))
        for index, spec in enumerate(specs):
            try:
                estimator = make_estimator(spec)
                workload = prepare(self.problem, estimator, self.num_samples, seed=self.seed, device=self.device)
                began = time.monotonic()
                reference = references.find(workload)
                deadline += time.monotonic() - began
                share = (deadline - time.monotonic()) / (len(specs) - index)
                measurement = estimate(workload, reference, Stop(rtol=RTOL, max_seconds=max(share, 1e-3)))
                timed.append(Timed.latency(workload, block))
                measurements.append(measurement)
            except Exception as error:
                failed[spec] = reason(error)
            progress.advance(spec)
        progress.start("timing", len(timed) * ROUNDS)
        timings = time_gradients(timed, ROUNDS, progress=lambda: progress.advance("all estimators in turn"))
        return [replace(one, timing=timing) for one, timing in zip(measurements, timings, strict=True)], failed
