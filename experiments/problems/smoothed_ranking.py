"""Ranks of scores, smoothed by noise: how any function of parameters becomes a problem."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Cauchy, Distribution, Gumbel, Independent, Laplace, Normal

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from estimators.sampling.distributions.logistic import Logistic
from experiments.problems.options import check_options

__all__ = ["SmoothedRanking"]

KINDS: dict[str, Callable[..., Any]] = {
    "normal": Normal,
    "laplace": Laplace,
    "logistic": Logistic,
    "gumbel": Gumbel,
    "cauchy": Cauchy,
}


@final
@register_problem("smoothed-ranking")
@dataclass(frozen=True)
class SmoothedRanking(Problem):
    r"""The squared errors of the ranks of noisy scores: sorting, smoothed so that it has a gradient.

    $x_i = \theta_i + \sigma \epsilon_i$ for `items` scores $\theta$ (`scores`), with $\epsilon$ of the law `noise`, and
    $f = \sum_i (r_i - i)^2$, where $r_i$ is the number of items whose x is below $x_i$. The score function of this q is
    stochastic smoothing, $-\frac1\sigma \mathbb{E}[f(\theta + \sigma\epsilon)\, \nabla \log \mu(\epsilon)]$: any f of
    $\theta$ alone, whatever computes it, becomes a problem in this way, whose gradient is that of the smoothed f.

    Given one score the others lie below it independently of each other, so that the expectation is one integral an
    item, by the trapezoidal rule over the logit of its level.
    Petersen, Borgelt, Mishra & Ermon 2024.
    """

    items: int = 3
    noise: Literal["normal", "laplace", "logistic", "gumbel", "cauchy"] = "normal"
    scale: float = 0.5
    differentiable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_options(self, items=2, scale=0)

    def initial_params(self) -> Params:
        return {"scores": 0.5 * (2 * torch.arange(self.items, dtype=torch.float64)).cos()}

    def distribution(self, params: Params) -> Distribution:
        scores = params["scores"]
        return Independent(KINDS[self.noise](scores, torch.full_like(scores, self.scale)), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        ranks = (x.unsqueeze(-1) > x.unsqueeze(-2)).sum(-1)
        return ((ranks - torch.arange(self.items, device=x.device)) ** 2).sum(-1).to(x.dtype)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        scores = params["scores"]
        logit = torch.linspace(-34, 34, 4001, dtype=scores.dtype, device=scores.device)
        weight = logit.sigmoid() * (-logit).sigmoid() * (logit[1] - logit[0])
        noise = KINDS[self.noise](torch.zeros_like(logit), torch.ones_like(logit))
        reached = noise.icdf(logit.sigmoid())
        total = torch.zeros_like(scores[:, 0])
        for item in range(self.items):
            lead = (scores[:, item, None] - scores[:, torch.arange(self.items) != item]) / self.scale
            below = noise.cdf(reached + lead.unsqueeze(-1))  # [R, items − 1, Q]
            miss = below.sum(1) - item
            total = total + (weight * (miss**2 + (below * (1 - below)).sum(1))).sum(-1)
        return total
