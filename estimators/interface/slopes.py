"""Derivatives of the cost in x, at fixed parameters."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface.params import Params

__all__ = ["cost_slopes", "slopes_and_products"]

Cost = Callable[[Tensor, Params], Tensor]
"""A cost `[S, R]` of samples `[S, R, *E]`, or a part of it."""


def cost_slopes(cost: Cost, x: Tensor, params: Params) -> Float[Tensor, "S R *E"]:
    """The derivative of the cost in x at each sample, detached: as many evaluations as there are samples."""
    constant = {name: value.detach() for name, value in params.items()}
    return torch.func.grad(lambda x: cost(x, constant).sum())(x.detach()).detach()


def slopes_and_products(
    cost: Cost, x: Tensor, directions: Tensor, params: Params
) -> tuple[Float[Tensor, "S R *E"], Float[Tensor, "S R *E"]]:
    """The derivative in x at each sample, and the second derivatives times a direction `[S, R, *E]` of its own.

    Both are detached, and come from one evaluation of each sample.
    """
    constant = {name: value.detach() for name, value in params.items()}
    slope = torch.func.grad(lambda x: cost(x, constant).sum())
    slopes, pull_back = torch.func.vjp(slope, x.detach())  # pyright: ignore[reportAssignmentType]
    (products,) = pull_back(directions.detach())
    return slopes.detach(), products.detach()
