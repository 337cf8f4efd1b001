"""Score-function gradients of the bound, each sample with a baseline from the others."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.bounds.bound import Bound, fixed_samples, log_mean_weight
from estimators.interface import LatentVariableProblem, Noise, Params, Problem, Traits
from estimators.registry import register_estimator

__all__ = ["OVIS", "VIMCO"]


class ScoreOfBound(Bound):
    r"""The score of the bound, with a baseline for each sample, at fixed z.

    $\sum_k (\log \hat Z - c_k) \, \partial \log q(z_k|x) + \sum_k \tilde w_k \, \partial \log w_k$ with $\hat Z =
    \frac1K \sum_k w_k$. Unbiased for the gradient of the bound: the baseline $c_k$ depends on the other samples alone.
    """

    @property
    def traits(self) -> Traits:
        return Traits("score function", independent_samples=True, log_weights=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if reason := super().unsupported(problem, num_samples):
            return reason
        if num_samples == 1:
            return f"{self.name} needs num_samples of two or more: each sample has its baseline from the others"
        return None

    def negative_bound(self, problem: LatentVariableProblem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        z = fixed_samples(problem, params, noise)
        log_q = problem.log_q(z, params)
        log_weights = problem.log_joint(z.x, params) - log_q
        fixed = log_weights.detach()
        signal = fixed.logsumexp(0) - math.log(len(fixed)) - self.baselines(fixed)
        return -log_mean_weight(log_weights) - (signal * (log_q - log_q.detach())).sum((0, 2))

    @abstractmethod
    def baselines(self, log_weights: Float[Tensor, "K R N"]) -> Float[Tensor, "K R N"]:
        """c_k, a function of the weights of the other samples."""


@final
@register_estimator("vimco")
@dataclass(frozen=True)
class VIMCO(ScoreOfBound):
    r"""Score function of the bound; in a sample's baseline, the geometric mean of the other weights replaces its own.

    `ScoreOfBound` with $c_k = \log \frac1K (\sum_{j \ne k} w_j + (\prod_{j \ne k} w_j)^{1/(K-1)})$.
    Any q; unbiased for the gradient of the bound.
    Mnih & Rezende 2016.
    """

    def baselines(self, log_weights: Float[Tensor, "K R N"]) -> Float[Tensor, "K R N"]:
        size = len(log_weights)
        geometric = (log_weights.sum(0) - log_weights) / (size - 1)
        return torch.logaddexp(_log_sum_of_others(log_weights), geometric) - math.log(size)


@final
@register_estimator("ovis")
@dataclass(frozen=True)
class OVIS(ScoreOfBound):
    r"""Score function of the bound, with the baselines that are best in the limit of large K.

    `ScoreOfBound` with $c_k = \log \frac1{K-1} \sum_{j \ne k} w_j + (1 - \gamma) \log(1 - 1/K)$; as the weights
    become equal, $\gamma = 0$ leaves noise of order $1/K^2$ in the encoder.

    Its authors' form has $-\gamma \tilde w_k$ in $c_k$, too. That is a function of the sample itself, so that it adds
    $\gamma \sum_k E[\tilde w_k \, \partial \log q(z_k|x)]$ to the gradient, a bias in the encoder unless all weights
    are equal; it is left out here.
    Any q; unbiased for the gradient of the bound.
    Liévin, Dittadi, Christensen & Winther 2020.
    """

    gamma: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"gamma must lie between 0 and 1, not {self.gamma}")

    @classmethod
    def variants(cls) -> list[str]:
        return ["ovis", "ovis:gamma=1"]

    def baselines(self, log_weights: Float[Tensor, "K R N"]) -> Float[Tensor, "K R N"]:
        size = len(log_weights)
        shift = (1 - self.gamma) * math.log1p(-1 / size) - math.log(size - 1)
        return _log_sum_of_others(log_weights) + shift


def _log_sum_of_others(log_weights: Float[Tensor, "K R N"]) -> Float[Tensor, "K R N"]:
    """log Σ_{j≠k} w_j, from the sums before and after k: a difference from the whole would cancel."""
    nothing = torch.full_like(log_weights[:1], -torch.inf)
    before = torch.cat([nothing, log_weights[:-1].logcumsumexp(0)])
    after = torch.cat([log_weights[1:].flip(0).logcumsumexp(0).flip(0), nothing])
    return torch.logaddexp(before, after)
