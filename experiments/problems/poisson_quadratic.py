"""A quadratic cost of Poisson variables."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Poisson

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["PoissonQuadratic"]


@final
@register_problem("poisson-quadratic")
@dataclass(frozen=True)
class PoissonQuadratic(Problem):
    r"""A quadratic cost of Poisson variables: discrete, with infinitely many states.

    $x \sim \mathrm{Poisson}(\lambda)$ in `dim` dimensions, with the parameter $\log \lambda$ (`log_rate`), $f = \sum_d
    (x_d - k)^2$.
    """

    dim: int = 10
    rate: float = 3.0
    k: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=1, rate=0)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=4"]

    def initial_params(self) -> Params:
        return {"log_rate": torch.full((self.dim,), self.rate, dtype=torch.float64).log()}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Poisson(params["log_rate"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return ((x - self.k) ** 2).sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        rate = params["log_rate"].exp()
        return ((rate - self.k) ** 2 + rate).sum(-1)
