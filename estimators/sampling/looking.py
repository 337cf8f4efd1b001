"""Looking at values, to go a shorter way where they allow it.

Not on a GPU, which would have to be waited for, nor in the compiler or under `torch.func.vmap`, where there is nothing
to look at yet: there the way that is right for all values is taken.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["all_above", "all_finite"]


def all_finite(value: Tensor) -> bool:
    """Whether all entries are finite and their sum is as well; false where that is not looked at."""
    return math.isfinite(_seen(value, torch.sum))


def all_above(value: Tensor, least: float) -> bool:
    """Whether no entry is below a bound or NaN; false where that is not looked at."""
    return _seen(value, torch.min) >= least


def _seen(value: Tensor, reduction: Callable[[Tensor], Tensor]) -> float:
    if value.device.type != "cpu" or torch.compiler.is_compiling():
        return math.nan
    try:
        return float(reduction(value.detach()))
    except RuntimeError:  # under vmap, or of no entries
        return math.nan
