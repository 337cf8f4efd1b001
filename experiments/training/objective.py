"""The objective of parameters, on noise that is the same for all who are compared, in the seconds that there are."""

import time
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from estimators.interface import Params, Problem, mean_cost
from estimators.noise import IID, derive_seed
from estimators.sampling.unchecked import without_validation
from experiments.gradients.workload import Workload

__all__ = ["Evaluation"]

MOST, FASTER = 4_096, 4
"""The most samples that are worth their time, and by how much there may be more of them, from one trial to the next."""


@final
@dataclass(frozen=True)
class Evaluation:
    """What `Problem.evaluate` says, or, where that takes too long, the mean cost of some samples; in float64."""

    problem: Problem
    seed: int
    samples: int
    """How many; 0: as the problem evaluates itself."""
    seconds: float
    """What one took for the parameters at hand."""

    @classmethod
    def within(cls, workload: Workload, params: Params, seconds: float) -> "Evaluation":
        """The most precise evaluation of such parameters that does not take longer; at least that of one sample.

        A problem that evaluates itself in a way of its own is not asked for another.
        """
        problem = workload.problem.to(workload.device, torch.float64)
        seed = derive_seed(workload.seed, "evaluation")
        if type(problem).evaluate is not Problem.evaluate or _is_exact(problem, params):
            own = cls(problem, seed, 0, 0.0)._timed(params)
            if own.seconds <= seconds or type(problem).evaluate is not Problem.evaluate:
                return own
        found = cls(problem, seed, 1, 0.0)._timed(params)
        while FASTER * found.seconds <= seconds and found.samples < MOST:
            found = replace(found, samples=FASTER * found.samples)._timed(params)
        return found

    def __call__(self, params: Params) -> Tensor:
        """The objective of each replicate, on the CPU."""
        exact = {name: value.detach().double() for name, value in params.items()}
        source = IID(self.seed, next(iter(exact.values())).device, torch.float64)
        with torch.no_grad(), without_validation():
            if not self.samples:
                return self.problem.evaluate(exact, source)["objective"].cpu()
            return mean_cost(self.problem, exact, self.samples, source).cpu()

    def _timed(self, params: Params) -> "Evaluation":
        began = time.monotonic()
        self(params)
        return replace(self, seconds=time.monotonic() - began)


def _is_exact(problem: Problem, params: Params) -> bool:
    """Whether the expected cost is known at all, by one replicate."""
    one = {name: value[:1].detach().double() for name, value in params.items()}
    with torch.no_grad(), without_validation():
        return problem.exact_cost(one) is not None
