"""Costs-to-go: what each variable of a run is credited with."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["costs_to_go"]


def costs_to_go(costs: Sequence[Tensor], known_after: Sequence[int], variables: int) -> Float[Tensor, "V *B"]:
    """The sum of the costs `[*B]` that are known after each variable, detached: the others do not depend on it.

    `known_after`: how many variables are asked for before each cost. As sums from the end on, it takes time linear in
    the steps of a run.
    """
    each = torch.stack([cost.detach() for cost in costs])
    if list(known_after) != list(range(1, variables + 1)):  # not one cost after each variable
        places = torch.tensor(known_after, device=each.device).clamp(max=variables)
        each = each.new_zeros(variables + 1, *each.shape[1:]).index_add(0, places, each)[1:]
    return each.flip(0).cumsum(0).flip(0)
