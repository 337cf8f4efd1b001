"""What gradients will cost, from a few calls."""

import math
import time
from dataclasses import dataclass
from typing import final

from estimators.sampling.unchecked import without_validation
from experiments.gradients.workload import Workload
from experiments.machine.synchronise import synchronise

__all__ = ["Price"]

FEW = 4
"""Replicates of the call that tells what further ones add to the first."""
CALLS, MOST_GRADIENTS = 3, 2 + FEW
"""Calls and gradients that it may take to find out."""


@final
@dataclass(frozen=True)
class Price:
    """Seconds of one gradient, those that each further replicate adds, and evaluations of the cost for each.

    A cost that is computed for all replicates at once, and one that is called for each of them, differ in what the
    further replicates add.
    """

    calls: tuple[float, ...]
    """Seconds of one gradient at R = 1, each time that it was called."""
    further: float
    evaluations: int

    @classmethod
    def of(cls, workload: Workload, allowed: float = math.inf) -> "Price":
        """By two calls of one gradient, of which the first warms up, and one of few. Raises what the workload raises.

        Where the first call shows that these take more seconds than are allowed, it says all: then a further replicate
        is taken to cost as much as the first.
        """
        evaluations = workload.estimator.evaluations(workload.problem, workload.num_samples)
        first = seconds(workload, 1)
        if first * CALLS > allowed:
            return cls((first,), first, evaluations)
        calls, several = (first, seconds(workload, 1)), seconds(workload, FEW)
        return cls(calls, max(several - min(calls), 0.0) / (FEW - 1), evaluations)

    @property
    def rough(self) -> bool:
        """Only the first call is known."""
        return len(self.calls) < 2

    @property
    def one(self) -> float:
        return min(self.calls, default=0.0)

    @property
    def spent(self) -> int:
        """Evaluations that it took to find out, at the most."""
        return (len(self.calls) if self.rough else MOST_GRADIENTS) * self.evaluations

    def seconds(self, replicates: int) -> float:
        """Of so many replicates together."""
        return self.one + (replicates - 1) * self.further


def seconds(workload: Workload, replicates: int) -> float:
    """Of a call with so many replicates."""
    source, params = workload.source("price"), workload.params(replicates)
    synchronise(workload.device)
    began = time.perf_counter()
    with without_validation():
        workload.step(params, source)
    synchronise(workload.device)
    return time.perf_counter() - began
