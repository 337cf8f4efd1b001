"""A quadratic cost of Gamma variables."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Gamma, Independent

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["GammaCost"]


@final
@register_problem("gamma-cost")
@dataclass(frozen=True)
class GammaCost(Problem):
    r"""A quadratic cost of Gamma variables, for implicit derivatives.

    $x \sim \mathrm{Gamma}(\alpha, \beta)$ in `dim` dimensions, with the logarithms of $\alpha$ (`log_concentration`)
    and $\beta$ (`log_rate`) as parameters, $f = \sum_d (x_d - k)^2$.
    """

    dim: int = 10
    concentration: float = 2.0
    rate: float = 1.0
    k: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=1, concentration=0, rate=0)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=4"]

    def initial_params(self) -> Params:
        start = torch.tensor([self.concentration, self.rate], dtype=torch.float64).log()
        return {"log_concentration": start[0].repeat(self.dim), "log_rate": start[1].repeat(self.dim)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Gamma(params["log_concentration"].exp(), params["log_rate"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return ((x - self.k) ** 2).sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        concentration, rate = params["log_concentration"].exp(), params["log_rate"].exp()
        mean = concentration / rate
        return ((mean - self.k) ** 2 + mean / rate).sum(-1)
