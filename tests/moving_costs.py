"""Costs that move with the parameters, so that half of the gradient is direct."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal, OneHotCategorical

from estimators.interface import Params, Problem

__all__ = ["MovingBits", "MovingChoice", "MovingTarget"]


@dataclass(frozen=True)
class MovingTarget(Problem):
    """x ~ N(loc, exp(log_scale)²), f = (x − loc/2)²: without the direct term the gradient in loc is twice its size."""

    cost_depends_on_params: ClassVar[bool] = True

    def initial_params(self) -> Params:
        return {"loc": torch.ones(1, dtype=torch.float64), "log_scale": torch.zeros(1, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return ((x - params["loc"] / 2) ** 2).sum(-1)

    def expected_cost(self, params: Params) -> Tensor:
        return (params["loc"] ** 2 / 4 + (2 * params["log_scale"]).exp()).sum(-1)


@dataclass(frozen=True)
class MovingBits(Problem):
    """Two bits that are pulled to a target that moves with their logits: half of the gradient is direct."""

    cost_depends_on_params: ClassVar[bool] = True

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([0.5, -0.8], dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Bernoulli(logits=params["logits"]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return ((x - 0.6 * params["logits"]) ** 2).sum(-1) + x.prod(-1)

    def support(self, params: Params) -> Tensor:
        bits = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
        return bits.unsqueeze(1).to(params["logits"])


@dataclass(frozen=True)
class MovingChoice(Problem):
    """One of three classes, with costs that move with their logits."""

    cost_depends_on_params: ClassVar[bool] = True

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([0.5, -0.8, 0.2], dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return OneHotCategorical(logits=params["logits"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return ((x - params["logits"]) ** 2 * torch.tensor([1.0, 2.0, 3.0]).to(x)).sum(-1)

    def support(self, params: Params) -> Tensor:
        return torch.eye(3).unsqueeze(1).to(params["logits"])
