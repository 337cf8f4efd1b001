"""The variational Rényi bound."""

import math
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.bounds.bound import Bound, log_mean_weight, samples
from estimators.interface import LatentVariableProblem, Noise, Objective, Params, Problem
from estimators.registry import register_estimator

__all__ = ["Renyi"]


@final
@dataclass(frozen=True)
class RenyiBound(Objective):
    """The negative Rényi bound of K samples, which nothing else here estimates."""

    alpha: float
    of_samples: int

    @property
    def name(self) -> str:  # pyright: ignore
        return f"Rényi bound of order {self.alpha:g} of {self.of_samples} samples"

    def exact(self, problem: Problem, params: Params, num_samples: int) -> Params | None:
        return None


@final
@register_estimator("renyi")
@dataclass(frozen=True)
class Renyi(Bound):
    r"""The derivative of the variational Rényi bound through the samples.

    The bound is $\frac1{1-\alpha} \log \frac1K \sum_k w_k^{1-\alpha}$.
    Between the ELBO ($\alpha \to 1$) and `iwae` ($\alpha = 0$). Unbiased for the gradient of its own bound.
    Li & Turner 2016.
    """

    alpha: float = 0.5

    def __post_init__(self) -> None:
        if not math.isfinite(self.alpha) or self.alpha == 1:
            raise ValueError(f"alpha must be finite and not 1, not {self.alpha}")

    def bound(self, num_samples: int) -> Objective:
        return RenyiBound(self.alpha, num_samples)

    def negative_bound(self, problem: LatentVariableProblem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        log_weights = problem.log_weights(samples(problem, params, noise), params)
        return -log_mean_weight((1 - self.alpha) * log_weights) / (1 - self.alpha)
