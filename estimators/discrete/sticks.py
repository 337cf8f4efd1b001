"""Categories made of binary sticks: x = k at the first stick that is 1, and the last category where none is."""

import torch
from torch import Tensor

__all__ = ["first_stick", "reached"]


def reached(b: Tensor) -> Tensor:
    """1 for the sticks `[…, K − 1]` up to the first that is 1."""
    before = torch.cat([torch.zeros_like(b[..., :1]), b[..., :-1]], -1)
    return (before.cumsum(-1) == 0).to(b.dtype)


def first_stick(b: Tensor) -> Tensor:
    """The category of the first stick that is 1, or the last category, one-hot `[…, K]`."""
    first = b * reached(b)
    return torch.cat([first, 1 - first.sum(-1, keepdim=True)], -1)
