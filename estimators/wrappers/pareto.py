"""The shape of the tail of importance weights, after Pareto smoothed importance sampling."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["pareto_shape", "tail_shape", "tail_size"]


TIED = 1e-9
"""The part of the largest figure within which all others of a tail are the same, but for rounding."""


def pareto_shape(log_weights: Float[Tensor, " N"]) -> float:
    r"""$\hat k$ of a generalized Pareto distribution fitted to the largest $\min(N/5, 3\sqrt N)$ weights.

    $E[w^p]$ is finite for $p < 1/k$: from k = 0.5 on the variance of the weights is infinite, from 0.7 on their mean
    is not to be relied upon either. NaN for fewer than 5 weights in the tail; −inf where the largest are all equal.

    Vehtari et al. 2024, sec. 3; the fit is that of Zhang & Stephens 2009, with the prior of the former (appendix C).
    """
    return tail_shape(torch.topk(log_weights.double(), min(tail_size(len(log_weights)) + 1, len(log_weights))).values)


def tail_size(count: int) -> int:
    """How many of the largest of so many figures count as their tail."""
    return int(min(0.2 * count, 3 * count**0.5))


def tail_shape(log_largest: Float[Tensor, " M"]) -> float:
    """`pareto_shape` of the largest figures, in descending order: the tail, and one below it."""
    size = len(log_largest) - 1
    if size < 5:
        return float("nan")
    ordered = log_largest.double().flip(0)
    excess = (ordered[1:] - ordered[-1]).exp() - (ordered[0] - ordered[-1]).exp()
    if not excess[-1] > TIED:
        return float("-inf")
    return _generalized_pareto_shape(excess.clamp(min=torch.finfo(torch.float64).tiny))


def _generalized_pareto_shape(x: Float[Tensor, " n"]) -> float:
    """The posterior mean of k, given sorted excesses; the parameter of the grid is b = −k/σ."""
    n = len(x)
    points = 30 + int(n**0.5)
    i = torch.arange(1, points + 1, dtype=x.dtype, device=x.device)
    quartile = x[int(n / 4 + 0.5) - 1]
    b = 1 / x[-1] + (1 - (points / (i - 0.5)).sqrt()) / (3 * quartile)
    shape = torch.log1p(-b[:, None] * x).mean(1)
    profile = n * ((-b / shape).log() - shape - 1)
    weight = profile.softmax(0)
    best = (b * weight).sum()
    k = torch.log1p(-best * x).mean()
    return float((n * k + 10 * 0.5) / (n + 10))
