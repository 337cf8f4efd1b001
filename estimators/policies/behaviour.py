"""The policy that gave the answers, where it is not the one that is trained."""

import math

import torch

from estimators.interface import Params

__all__ = ["moved_away"]


def moved_away(params: Params, distance: float) -> Params:
    """Detached parameters, each entry of which is so far away in mean square: the same for whoever asks.

    The steps are irregular numbers that depend on the place of an entry alone, √2 sin(9 i^1.5).
    """
    if not distance:
        return params
    found = {}
    for name, value in params.items():
        place = torch.arange(1, 1 + value[0].numel(), dtype=torch.float64, device=value.device)
        step = math.sqrt(2) * torch.sin(9 * place**1.5)
        found[name] = value.detach() + distance * step.reshape(value.shape[1:]).to(value)
    return found
