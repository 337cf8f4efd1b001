"""Data and constants of a problem, moved to a device and a dtype."""

import copy
import itertools
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["MOVED", "moved_to"]

MOVED = (Tensor, nn.Module, dict, tuple, list)
"""What may have to move; anything else stays as it is."""


def moved_to(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """A tensor, a module or a container of them in its place: the value itself where nothing has to move.

    A module is copied first, since `Module.to` would change the one that others hold. What is not floating point keeps
    its dtype.
    """
    if isinstance(value, Tensor):
        return value.to(device, dtype if value.is_floating_point() else value.dtype)
    if isinstance(value, nn.Module):
        parts = itertools.chain(value.parameters(), value.buffers())
        there = all(part is moved_to(part, device, dtype) for part in parts)
        return value if there else copy.deepcopy(value).to(device, dtype)
    if type(value) is dict:
        moved = {key: moved_to(part, device, dtype) for key, part in value.items()}
        return moved if any(moved[key] is not part for key, part in value.items()) else value
    if type(value) in (tuple, list):
        parts = [moved_to(part, device, dtype) for part in value]
        return type(value)(parts) if any(one is not other for one, other in zip(parts, value, strict=True)) else value
    return value
