"""A quadratic cost of a Dirichlet vector."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Dirichlet, Distribution

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["DirichletCost"]


@final
@register_problem("dirichlet-cost")
@dataclass(frozen=True)
class DirichletCost(Problem):
    r"""A quadratic cost of a Dirichlet vector: shares that depend on each other.

    $x \sim \mathrm{Dirichlet}(\alpha)$ with `dim` shares and the parameter $\log \alpha$, $f = (c^\top x - k)^2$. The
    weights c run evenly from 0 to 1. With $A = \sum_i \alpha_i$ and $m = \alpha / A$, $\mathbb{E}[f] = (c^\top m - k)^2
    + \sum_i m_i (c_i - c^\top m)^2 / (A + 1)$.
    """

    dim: int = 4
    concentration: float = 2.0
    k: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=2, concentration=0)

    def initial_params(self) -> Params:
        return {"log_concentration": torch.full((self.dim,), math.log(self.concentration), dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Dirichlet(params["log_concentration"].exp())

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return (x @ self._weights(x) - self.k) ** 2

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        concentration = params["log_concentration"].exp()
        total = concentration.sum(-1, keepdim=True)
        share, weights = concentration / total, self._weights(concentration)
        mean = (share * weights).sum(-1, keepdim=True)
        variance = (share * (weights - mean) ** 2).sum(-1, keepdim=True) / (total + 1)
        return ((mean - self.k) ** 2 + variance).squeeze(-1)

    def _weights(self, like: Tensor) -> Float[Tensor, " dim"]:
        return torch.linspace(0, 1, self.dim, dtype=like.dtype, device=like.device)
