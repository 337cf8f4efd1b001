"""The KL divergence to a reference, as terms of a loss: what is differentiated at fixed tokens."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["IN_THE_LOSS"]

Term = Callable[[Tensor, Tensor], Tensor]
"""From the log-ratio to the reference, with its gradient, and a ratio to the policy that gave the tokens, with its."""


def _k3(log_ratio: Tensor) -> Tensor:
    return torch.expm1(-log_ratio) + log_ratio


IN_THE_LOSS: dict[str, Term] = {
    "k1": lambda log_ratio, ratio: log_ratio,
    "k2": lambda log_ratio, ratio: log_ratio**2 / 2,
    "k3": lambda log_ratio, ratio: _k3(log_ratio),
    "k3-ratio": lambda log_ratio, ratio: ratio * _k3(log_ratio),
}
"""The estimates of Schulman 2020. As values k1 and k3 have the mean KL(π‖π₀). The mean of the gradient at a fixed
token is that of another function: of k1 zero, of k2 that of KL(π‖π₀) of the token, of k3 that of KL(π₀‖π), and of k3
times the ratio that of KL(π‖π₀) again."""
