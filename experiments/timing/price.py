"""What gradients will cost, from a few calls."""

import time
from dataclasses import dataclass
from typing import final

from estimators.sampling.unchecked import without_validation
from experiments.gradients.workload import Workload

__all__ = ["Price"]

FEW = 4
"""Replicates of the call that tells what further ones add to the first."""


@final
@dataclass(frozen=True)
class Price:
    """Seconds of one gradient, those that each further replicate adds, and evaluations of the cost for each.

    A cost that is computed for all replicates at once, and one that is called for each of them, differ in what the
    further replicates add.
    """

    calls: tuple[float, ...]
    """Seconds of one gradient at R = 1, each time that it was called when warm."""
    further: float
    evaluations: int

    @classmethod
    def of(cls, workload: Workload) -> "Price":
        """Five calls in all: one that warms up, two of one gradient, two of few replicates. Raises what it raises."""
        seconds(workload, 1)
        calls = seconds(workload, 1), seconds(workload, 1)
        several = seconds(workload, FEW)
        if several > 2 * min(calls):  # the first call in another shape may do what later ones need not
            several = min(several, seconds(workload, FEW))
        evaluations = workload.estimator.evaluations(workload.problem, workload.num_samples)
        return cls(calls, max(several - min(calls), 0.0) / (FEW - 1), evaluations)

    @property
    def one(self) -> float:
        return min(self.calls)

    @property
    def spent(self) -> int:
        """Evaluations that it took to find out, at the most."""
        return (3 + 2 * FEW) * self.evaluations

    def seconds(self, replicates: int) -> float:
        """Of so many replicates together."""
        return self.one + (replicates - 1) * self.further


def seconds(workload: Workload, replicates: int) -> float:
    """Of a call with so many replicates."""
    source, params = workload.source("price"), workload.params(replicates)
    began = time.perf_counter()
    with without_validation():
        workload.step(params, source)
    return time.perf_counter() - began
