"""Costs of log-normal variables."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, LogNormal

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["LogNormalCost"]


@final
@register_problem("lognormal-cost")
@dataclass(frozen=True)
class LogNormalCost(Problem):
    r"""Costs of log-normal variables: the logarithm, or the sum.

    $x = \exp(z)$, $z \sim N(\mathrm{loc}, \sigma^2)$ in `dim` dimensions, with $\sigma = \exp(\mathrm{log\_scale})$; $f
    = \sum_d (\log x_d - k)^2$ or $f = \sum_d x_d$. The logarithm gives back the Gaussian problem; without it the tail
    of x makes every estimator noisier as the scale grows.
    $\mathbb{E}[f] = \sum_d (\mathrm{loc}_d - k)^2 + \sigma_d^2$ or $\sum_d \exp(\mathrm{loc}_d + \sigma_d^2 / 2)$; the
    sum does not use k.
    """

    dim: int = 10
    loc: float = 1.0
    log_scale: float = -0.5
    k: float = 0.0
    function: Literal["log-quadratic", "sum"] = "log-quadratic"

    def __post_init__(self) -> None:
        check_options(self, dim=1)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=2", f"{cls.name}:dim=2,function=sum"]

    def initial_params(self) -> Params:
        return {
            "loc": torch.full((self.dim,), self.loc, dtype=torch.float64),
            "log_scale": torch.full((self.dim,), self.log_scale, dtype=torch.float64),
        }

    def distribution(self, params: Params) -> Distribution:
        return Independent(LogNormal(params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return (x if self.function == "sum" else (x.log() - self.k) ** 2).sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        loc, variance = params["loc"], (2 * params["log_scale"]).exp()
        return ((loc + variance / 2).exp() if self.function == "sum" else (loc - self.k) ** 2 + variance).sum(-1)
