"""Moving averages of what earlier steps of a training loop have shown."""

from typing import TypeVar

import torch
from torch.utils._pytree import tree_map

__all__ = ["check_decay", "moved"]

T = TypeVar("T")


def check_decay(decay: float) -> None:
    """ValueError: the decay is out of range."""
    if not 0 <= decay < 1:
        raise ValueError(f"decay must lie in [0, 1), not {decay}")


def moved(past: T | None, new: T, decay: float) -> T:
    """decay · past + (1 − decay) · new, for pytrees of tensors; `new` alone at the first step."""
    return new if past is None else tree_map(lambda new, past: torch.lerp(new, past, decay), new, past)
