"""The variational Rényi bound."""

import math
from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from estimators.bounds.bound import Bound, log_mean_weight, samples
from estimators.interface import LatentVariableProblem, Noise, Params
from estimators.registry import register_estimator

__all__ = ["Renyi"]


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
    measured_by: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.alpha) or self.alpha == 1:
            raise ValueError(f"alpha must be finite and not 1, not {self.alpha}")

    def negative_bound(self, problem: LatentVariableProblem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        log_weights = problem.log_weights(samples(problem, params, noise), params)
        return -log_mean_weight((1 - self.alpha) * log_weights) / (1 - self.alpha)
