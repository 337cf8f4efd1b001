"""A quadratic cost of Beta variables."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Beta, Distribution, Independent

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["BetaCost"]


@final
@register_problem("beta-cost")
@dataclass(frozen=True)
class BetaCost(Problem):
    r"""A quadratic cost of independent Beta variables: bounded x.

    $x \sim \mathrm{Beta}(\alpha, \beta)$ in `dim` dimensions, with the logarithms of $\alpha$ (`log_concentration1`)
    and $\beta$ (`log_concentration0`) as parameters, $f = \sum_d (x_d - k)^2$. The mean m of each $x_d$ is $\alpha /
    (\alpha + \beta)$, its variance $m (1 - m) / (\alpha + \beta + 1)$.
    """

    dim: int = 10
    concentration1: float = 2.0
    concentration0: float = 3.0
    k: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=1, concentration1=0, concentration0=0)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=2"]

    def initial_params(self) -> Params:
        return {
            "log_concentration1": torch.full((self.dim,), math.log(self.concentration1), dtype=torch.float64),
            "log_concentration0": torch.full((self.dim,), math.log(self.concentration0), dtype=torch.float64),
        }

    def distribution(self, params: Params) -> Distribution:
        return Independent(Beta(params["log_concentration1"].exp(), params["log_concentration0"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return ((x - self.k) ** 2).sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        one, zero = params["log_concentration1"].exp(), params["log_concentration0"].exp()
        total = one + zero
        mean, rest = one / total, zero / total
        return ((mean - self.k) ** 2 + mean * rest / (total + 1)).sum(-1)
