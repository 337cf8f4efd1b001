"""Importance weights of tokens, for answers that another policy gave, and what keeps them from being large."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["LIMITS", "WEIGHTS", "after_each"]

Tokens = Float[Tensor, "S V *B"]


def after_each(log_ratio: Tokens) -> Float[Tensor, "S 1+V *B"]:
    """The product of the ratios of the first k tokens, for k = 0 … V."""
    return torch.cat([torch.zeros_like(log_ratio[:, :1]), log_ratio.cumsum(1)], 1).exp()


def _token(log_ratio: Tokens, counts: Tokens) -> Tokens:
    return log_ratio.exp()


def _prefix(log_ratio: Tokens, counts: Tokens) -> Tokens:
    return log_ratio.cumsum(1).exp()


def _answer(log_ratio: Tokens, counts: Tokens) -> Tokens:
    return log_ratio.sum(1, keepdim=True).exp().expand_as(log_ratio)


def _geometric(log_ratio: Tokens, counts: Tokens) -> Tokens:
    mean = log_ratio.sum(1, keepdim=True) / counts.sum(1, keepdim=True).clamp(min=1)
    return mean.exp().expand_as(log_ratio)


WEIGHTS: dict[str, Callable[[Tokens, Tokens], Tokens]] = {
    "none": lambda log_ratio, counts: torch.ones_like(log_ratio),
    "token": _token,
    "prefix": _prefix,
    "answer": _answer,
    "geometric": _geometric,
    "cumulative": _prefix,  # beside costs that are weighed themselves
}
"""What weighs each token, from log π − log μ of the tokens and from which of them count."""


def _clipped(weight: Tensor, cap: float, advantage: Tensor) -> Tensor:
    """The gradient of max(w a, clip(w) a) in w: of costs, so that the larger of both is the pessimistic one."""
    beyond = ((advantage < 0) & (weight > cap)) | ((advantage > 0) & (weight < 2 - cap))
    return weight.masked_fill(beyond, 0.0)


LIMITS: dict[str, Callable[[Tensor, float, Tensor], Tensor]] = {
    "none": lambda weight, cap, advantage: weight,
    "truncated": lambda weight, cap, advantage: weight.clamp(max=cap),
    "masked": lambda weight, cap, advantage: weight.masked_fill(weight > cap, 0.0),
    "clipped": _clipped,
}
"""What is made of weights, given the advantages, which are costs, that they multiply."""
