"""A logarithmic cost of Student-t variables."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, StudentT

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["StudentTCost"]


@final
@register_problem("student-t-cost")
@dataclass(frozen=True)
class StudentTCost(Problem):
    r"""A logarithmic cost of Student-t variables: heavy tails.

    $x \sim t(\nu, \mathrm{loc}, s)$ in `dim` dimensions, with the parameters $\log \nu$ (`log_df`), loc and $\log s$
    (`log_scale`), $f = \sum_d \log(1 + (x_d - k)^2)$. The cost grows so slowly that estimators have finite variances at
    any number of degrees of freedom.

    The expectation is one integral a dimension, by the trapezoidal rule over u, $(x - \mathrm{loc}) / s =
    \sinh(\frac{\pi}{2} \sinh u)$: to ten digits where $\nu$ is at least 0.5 and the scale at most 10.
    Takahasi & Mori 1974.
    """

    dim: int = 10
    df: float = 3.0
    loc: float = 1.0
    log_scale: float = 0.0
    k: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=1, df=0)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=2"]

    def initial_params(self) -> Params:
        start = {"log_df": math.log(self.df), "loc": self.loc, "log_scale": self.log_scale}
        return {name: torch.full((self.dim,), value, dtype=torch.float64) for name, value in start.items()}

    def distribution(self, params: Params) -> Distribution:
        return Independent(StudentT(params["log_df"].exp(), params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return ((x - self.k) ** 2).log1p().sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        df, loc, scale = (params[name].unsqueeze(-1) for name in ("log_df", "loc", "log_scale"))
        u = torch.linspace(-5, 5, 4001, dtype=loc.dtype, device=loc.device)
        z, jacobian = (torch.pi / 2 * u.sinh()).sinh(), u.cosh() * (torch.pi / 2 * u.sinh()).cosh()
        density = jacobian * (-(df.exp() + 1) / 2 * (z**2 / df.exp()).log1p()).exp()  # up to a factor
        cost = ((loc + scale.exp() * z - self.k) ** 2).log1p()
        return ((density * cost).sum(-1) / density.sum(-1)).sum(-1)
