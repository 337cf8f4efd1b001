"""A quadratic cost of exponential variables."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Exponential, Independent

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["ExponentialQuadratic"]


@final
@register_problem("exponential-quadratic")
@dataclass(frozen=True)
class ExponentialQuadratic(Problem):
    r"""A quadratic cost of exponential variables, for the log trick.

    $x = -\log(u) / \lambda$, $x \sim \mathrm{Exp}(\lambda)$ in `dim` dimensions, with the parameter $\log \lambda$
    (`log_rate`); $f = \sum_d x_d^2$.
    """

    dim: int = 10
    log_rate: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=1)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=4"]

    def initial_params(self) -> Params:
        return {"log_rate": torch.full((self.dim,), self.log_rate, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Exponential(params["log_rate"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return (x**2).sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        return (2 * (-2 * params["log_rate"]).exp()).sum(-1)
