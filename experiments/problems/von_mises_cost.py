"""A periodic cost of von Mises variables."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, VonMises

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["VonMisesCost"]


@final
@register_problem("von-mises-cost")
@dataclass(frozen=True)
class VonMisesCost(Problem):
    r"""A periodic cost of von Mises variables: x on a circle.

    $x \sim \mathrm{vonMises}(\mathrm{loc}, \kappa)$ in `dim` dimensions, with the parameters loc and $\log \kappa$
    (`log_concentration`), $f = \sum_d (1 - \cos(x_d - k))$.

    $\mathbb{E}[\cos(x - \mathrm{loc})] = I_1(\kappa) / I_0(\kappa)$. The difference of this ratio from 1 is computed as
    an integral, by the trapezoidal rule: the difference of the Bessel functions, and more so its derivative, cancel at
    large concentrations $\kappa$.
    """

    dim: int = 10
    loc: float = 1.0
    concentration: float = 2.0
    k: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=1, concentration=0)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=2"]

    def initial_params(self) -> Params:
        start = {"loc": self.loc, "log_concentration": math.log(self.concentration)}
        return {name: torch.full((self.dim,), value, dtype=torch.float64) for name, value in start.items()}

    def distribution(self, params: Params) -> Distribution:
        return Independent(VonMises(params["loc"], params["log_concentration"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return (1 - (x - self.k).cos()).sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        offset = params["loc"] - self.k
        return (2 * (offset / 2).sin() ** 2 + _spread(params["log_concentration"].exp()) * offset.cos()).sum(-1)


def _spread(concentration: Tensor) -> Tensor:
    """1 − I₁(κ) / I₀(κ) = E[2 sin²(x/2)] of x ~ von Mises(0, κ), over a full circle or 20 standard deviations."""
    reach = (20 / concentration.detach().sqrt()).clamp(max=torch.pi).unsqueeze(-1)
    nodes = reach * torch.linspace(-1, 1, 513, dtype=reach.dtype, device=reach.device)[1:]
    cost = 2 * (nodes / 2).sin() ** 2
    density = (-concentration.unsqueeze(-1) * cost).exp()  # up to a factor
    return (density * cost).sum(-1) / density.sum(-1)
