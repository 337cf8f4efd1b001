"""A problem whose x is of a distribution of one's own."""

from dataclasses import dataclass

import torch

# It is there once the additions are put into their rooms.
from estimators.sampling.distributions.my_distribution import MyDistribution  # pyright: ignore[reportMissingImports]
from torch import Tensor
from torch.distributions import Distribution, Independent

from estimators.interface import Params, Problem
from estimators.registry import register_problem


@register_problem("of-my-distribution")
@dataclass(frozen=True)
class OfMyDistribution(Problem):
    """f = x², whose mean is 2 scale²."""

    def initial_params(self) -> Params:
        return {"log_scale": torch.tensor([0.3], dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(MyDistribution(params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x**2).sum(-1)

    def expected_cost(self, params: Params) -> Tensor:
        return (2 * (2 * params["log_scale"]).exp()).sum(-1)
