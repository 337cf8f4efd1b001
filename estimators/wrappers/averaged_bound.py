"""The mean of bounds of fewer samples."""

from dataclasses import dataclass, field
from typing import final

import torch

from estimators.bounds.iwae import IWAE
from estimators.interface import Estimator, LatentVariableProblem, Problem, Wrapper, start
from estimators.noise import IID
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.unchecked import without_validation

__all__ = ["AveragedBound"]


@final
@register_estimator("averaged-bound")
@dataclass(frozen=True)
class AveragedBound(Wrapper):
    r"""The mean of M = `averages` independent bounds, each of K = S/M of the samples.

    $$-\frac1M \sum_m \sum_n \log \frac1K \sum_k w_{mkn}$$

    The base is a bound. What is estimated is the gradient of its bound of K samples, not of S, which for M = S is that
    of the negative ELBO; the variance is 1/M of that of one bound of K. As K grows, the signal of an encoder falls
    faster than its noise; averages lower the noise alone. S has to be a multiple of M.
    Rainforth et al. 2018.
    """

    base: Estimator = field(default_factory=IWAE)
    averages: int = 2

    def __post_init__(self) -> None:
        if self.averages < 1:
            raise ValueError(f"averages must be at least 1, not {self.averages}")
        if not self.base.traits.log_weights:
            raise ValueError(f"averaged-bound takes a bound, as base=iwae, and {self.base.spec} is none")

    def seen_problem(self, problem: Problem) -> LatentVariableProblem:
        """Each data point stands there M times, for 1/M of its weight, and each time has K samples of its own."""
        assert isinstance(problem, LatentVariableProblem)
        x = problem.observation
        return problem.conditioned(x.repeat(*[1] * (x.ndim - 2), self.averages, 1), problem.data_weight / self.averages)

    def seen_samples(self, num_samples: int) -> int:
        return num_samples // self.averages

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if left := num_samples % self.averages:
            below = num_samples - left
            fitting = " or ".join(str(number) for number in (below, below + self.averages) if number)
            return (
                f"{self.spec} needs num_samples that are a multiple of averages={self.averages}, not {num_samples}: "
                f"choose {fitting}, or other averages"
            )
        of_each = self.seen_samples(num_samples)
        reason = self.base.unsupported(problem, of_each)
        if reason is None:
            return self._without_copies(problem)
        if self.base.unsupported(problem, num_samples) == reason:
            return reason
        return f"with averages={self.averages} each bound has {of_each} of the {num_samples} samples: {reason}"

    def _without_copies(self, problem: Problem) -> str | None:
        """Why the model cannot have a data point several times, tried once; None: it can."""
        key = (self.name, self.averages)
        if key not in problem.trials:
            made = self.seen_problem(problem).to("cpu", torch.float64)
            params = {name: value.double() for name, value in start(problem).items()}
            try:
                with torch.no_grad(), without_validation():
                    q = made.distribution(params)
                    made.cost(families.values(q, families.noise(q, 1, IID(0, dtype=torch.float64))), params)
                problem.trials[key] = None
            except Exception as error:
                why = (str(error).strip().splitlines() or [type(error).__name__])[0]
                problem.trials[key] = (
                    f"{self.name} gives the model each data point {self.averages} times, which has data beside its "
                    f"observation or parameters for each: {why}"
                )
        return problem.trials[key]

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return self.averages * super().evaluations(problem, num_samples)
