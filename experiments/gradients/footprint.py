"""The memory that one replicate of a problem takes, whatever estimates its gradient."""

from dataclasses import dataclass

import torch

from estimators.interface import Params, Problem, derivative, replicated
from estimators.noise import IID
from estimators.sampling import families
from experiments.machine.memory import peak_memory

__all__ = ["Footprint"]

FEW, MORE = 1, 3


@dataclass(frozen=True)
class Footprint:
    """Bytes in float64 at the most at once, where x is drawn, and its cost and its density are differentiated.

    They depend on the problem alone, so that all estimators have the same chunks, and so the same noise.
    """

    replicate: float = 0.0
    """For each replicate, whatever the number of samples."""
    sample: float = 0.0
    """For each sample of a replicate."""

    @classmethod
    def of(cls, problem: Problem, point: Params) -> "Footprint":
        """By three steps with few samples of few replicates; nothing where a step cannot be taken like that."""
        moved = problem.to("cpu", torch.float64)
        start = {name: value.detach().cpu().double() for name, value in point.items()}
        try:
            least = _bytes(moved, start, FEW, FEW)
            by_replicates = (_bytes(moved, start, MORE, FEW) - least) / (MORE - FEW)
            by_samples = (_bytes(moved, start, FEW, MORE) - least) / (MORE - FEW)
        except Exception:  # what is wrong with it will show where it is measured
            return cls()
        return cls(max(by_replicates - by_samples, 0.0), max(by_samples, 0.0))

    def beside(self, replicate: float) -> "Footprint":
        """With so many bytes more for each replicate."""
        return Footprint(self.replicate + replicate, self.sample)

    def of_replicate(self, num_samples: int) -> float:
        return self.replicate + num_samples * self.sample


def _bytes(problem: Problem, point: Params, replicates: int, num_samples: int) -> int:
    def step() -> None:
        params = {name: value.requires_grad_() for name, value in replicated(point, replicates).items()}
        q = problem.distribution(params)
        with torch.no_grad():
            x = families.values(q, families.noise(q, num_samples, IID(0, dtype=torch.float64)))
        derivative((problem.cost(x, params) + families.log_prob(q, x)).sum(), params)

    return peak_memory(step, torch.device("cpu"))
