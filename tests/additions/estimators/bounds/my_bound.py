"""A bound of one's own."""

from dataclasses import dataclass

from torch import Tensor

from estimators.bounds.bound import Bound, log_mean_weight, samples
from estimators.interface import LatentVariableProblem, Noise, Params
from estimators.registry import register_estimator


@register_estimator("my-bound")
@dataclass(frozen=True)
class MyBound(Bound):
    """The derivative of the bound of K samples through the samples. Author & Author 2024."""

    def negative_bound(self, problem: LatentVariableProblem, params: Params, noise: Noise) -> Tensor:
        return -log_mean_weight(problem.log_weights(samples(problem, params, noise), params))
