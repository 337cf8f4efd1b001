"""Problems whose distributions no registered problem has."""

import math
from dataclasses import dataclass

import torch
import torch.distributions as td
from moving_costs import MovingTarget
from torch import Tensor

from estimators.interface import Params, Problem

__all__ = ["FixedScale", "GammaRate", "OneWord", "WeibullScale", "Words"]


@dataclass(frozen=True)
class GammaRate(Problem):
    """x ~ Gamma(2, exp(log_rate)) in two dimensions, f = x₁ √x₂: only the rate is learned."""

    def initial_params(self) -> Params:
        return {"log_rate": torch.tensor([0.3, -0.2], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        rate = params["log_rate"].exp()
        return td.Independent(td.Gamma(torch.full_like(rate, 2.0).detach(), rate), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x[..., 0] * x[..., 1].sqrt()

    def expected_cost(self, params: Params) -> Tensor:
        return 2 * math.gamma(2.5) * (-params["log_rate"][:, 0] - params["log_rate"][:, 1] / 2).exp()


@dataclass(frozen=True)
class WeibullScale(Problem):
    """x ~ Weibull(exp(log_scale), 1.5), one-dimensional without an event, f = x²."""

    learned_concentration: bool = False

    def initial_params(self) -> Params:
        return {"log_scale": torch.tensor(0.3, dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        scale = params["log_scale"].exp()
        return td.Weibull(scale, scale + 1 if self.learned_concentration else torch.full_like(scale, 1.5).detach())

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x**2

    def expected_cost(self, params: Params) -> Tensor:
        return (2 * params["log_scale"]).exp() * math.gamma(1 + 2 / 1.5)


@dataclass(frozen=True)
class Words(Problem):
    """Two variables of three categories, one-hot or as numbers, f = (a + 2b)(a + 1) − 2ab² of the numbers."""

    one_hot: bool = True

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([[0.1, 0.7, -0.4], [0.5, 0.0, 0.2]], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        family = td.OneHotCategorical if self.one_hot else td.Categorical
        return td.Independent(family(logits=params["logits"]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        number = x @ torch.arange(3.0, dtype=x.dtype) if self.one_hot else x.to(params["logits"].dtype)
        a, b = number[..., 0], number[..., 1]
        return (a + 2 * b) * (a + 1) - 2 * a * b**2

    def support(self, params: Params) -> Tensor:
        states = torch.cartesian_prod(torch.arange(3), torch.arange(3))[:, None].expand(-1, len(params["logits"]), -1)
        return torch.nn.functional.one_hot(states, 3).to(params["logits"].dtype) if self.one_hot else states


@dataclass(frozen=True)
class OneWord(Words):
    """The first of the two variables alone."""

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.OneHotCategorical(logits=params["logits"][:, :1]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x[..., 0, :] * torch.tensor([1.0, 4.0, -2.0], dtype=x.dtype)).sum(-1)

    def support(self, params: Params) -> Tensor:
        return torch.eye(3, dtype=torch.float64)[:, None, None].expand(-1, len(params["logits"]), -1, -1)


@dataclass(frozen=True)
class FixedScale(MovingTarget):
    """`MovingTarget` with a scale that nothing learns."""

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Normal(params["loc"], 0.7), 1)

    def expected_cost(self, params: Params) -> Tensor:
        return (params["loc"] ** 2 / 4 + 0.49).sum(-1)
