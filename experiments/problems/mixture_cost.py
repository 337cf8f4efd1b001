"""A quadratic cost of Gaussian mixtures."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.gaussian_full_covariance import cholesky_entries, cholesky_factor, coupled_quadratic
from experiments.problems.options import check_options

__all__ = ["MixtureCost"]


@final
@register_problem("mixture-cost")
@dataclass(frozen=True)
class MixtureCost(Problem):
    r"""A quadratic cost of Gaussian mixtures: several modes, with weights to learn.

    $x \sim \sum_c w_c N(\mathrm{loc}_c, L_c L_c^\top)$ in `dim` dimensions, $f = (x - k)^\top A (x - k)$. With
    `covariance=factorised` every dimension is a mixture of its own, with `logits`, `loc` and `log_scale` `[D, C]`. With
    `full` the whole vector is one, with `logits` `[C]`, `loc` `[C, D]` and `cholesky` `[C, D(D+1)/2]`. The cost and the
    Cholesky factors are those of `gaussian-full-covariance`. The locs of the components start `separation` apart,
    around zero.
    $\mathbb{E}[f] = \sum_c w_c \big((\mathrm{loc}_c - k)^\top A (\mathrm{loc}_c - k) + \mathrm{tr}(L_c^\top A
    L_c)\big)$, or $(\mathbb{E}[x] - k)^\top A (\mathbb{E}[x] - k) + \sum_d \mathrm{Var}(x_d)$ if factorised.
    """

    dim: int = 4
    components: int = 2
    covariance: Literal["factorised", "full"] = "factorised"
    separation: float = 2.0
    log_scale: float = 0.0
    off_diagonal: float = 0.2
    k: float = 1.0

    def __post_init__(self) -> None:
        check_options(self, dim=1, components=1)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=2", f"{cls.name}:covariance=full,dim=2"]

    def initial_params(self) -> Params:
        loc = self.separation * (torch.arange(self.components, dtype=torch.float64) - (self.components - 1) / 2)
        shape = (self.dim, self.components)
        if self.covariance == "full":
            entries = cholesky_entries(self.dim, self.log_scale, self.off_diagonal)
            return {
                "logits": torch.zeros(self.components, dtype=torch.float64),
                "loc": loc.expand(shape).T.clone(),
                "cholesky": entries.repeat(self.components, 1),
            }
        return {
            "logits": torch.zeros(shape, dtype=torch.float64),
            "loc": loc.expand(shape).clone(),
            "log_scale": torch.full(shape, self.log_scale, dtype=torch.float64),
        }

    def distribution(self, params: Params) -> Distribution:
        weights = Categorical(logits=params["logits"])
        if self.covariance == "full":
            factor = cholesky_factor(params["cholesky"])
            return MixtureSameFamily(weights, MultivariateNormal(params["loc"], scale_tril=factor))
        return Independent(MixtureSameFamily(weights, Normal(params["loc"], params["log_scale"].exp())), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return coupled_quadratic(x - self.k)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        weights, loc = params["logits"].softmax(-1), params["loc"]
        if self.covariance == "full":
            columns = cholesky_factor(params["cholesky"]).mT
            return (weights * (coupled_quadratic(loc - self.k) + coupled_quadratic(columns).sum(-1))).sum(-1)
        mean = (weights * loc).sum(-1, keepdim=True)
        variance = (weights * ((loc - mean) ** 2 + (2 * params["log_scale"]).exp())).sum(-1)
        return coupled_quadratic(mean.squeeze(-1) - self.k) + variance.sum(-1)
