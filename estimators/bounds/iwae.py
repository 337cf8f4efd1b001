"""The importance-weighted bound, differentiated through the samples."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.bounds.bound import Bound, log_mean_weight, samples
from estimators.interface import LatentVariableProblem, Noise, Params
from estimators.registry import register_estimator

__all__ = ["IWAE"]


@final
@register_estimator("iwae")
@dataclass(frozen=True)
class IWAE(Bound):
    r"""The derivative of the importance-weighted bound through the samples, $\nabla \log \frac1K \sum_k w_k$.

    Unbiased for the gradient of the bound of K samples. The signal of the encoder falls with K faster than the noise.
    Burda, Grosse & Salakhutdinov 2016; Rainforth et al. 2018.
    """

    def negative_bound(self, problem: LatentVariableProblem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return -log_mean_weight(problem.log_weights(samples(problem, params, noise), params))
