"""The cost with one coordinate of the sample replaced at a time. Shapes are those of `WeakDerivative`."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, Problem, constant_cost

__all__ = ["costs_at"]

BLOCK_ELEMENTS = 2**18
"""Element-samples at which the cost is evaluated at a time."""


def costs_at(points: Tensor, x: Tensor, problem: Problem, params: Params, q: Any) -> Float[Tensor, "M R *B"]:
    """The mean cost over S of x `[S, R, *B]` with each coordinate in turn taken from each of the points."""
    dimensions = q.batch_shape[1:].numel()
    plain = x.reshape(*x.shape[:2], dimensions, *q.event_shape)
    points = points.reshape(-1, 1, *plain.shape)
    coordinates = torch.eye(dimensions, dtype=torch.bool, device=x.device)
    coordinates = coordinates.reshape(dimensions, 1, 1, dimensions, *[1] * len(q.event_shape))
    # Allocated ahead: small tensors kept on the way fragment the heap.
    costs = next(iter(params.values())).new_empty(len(points), dimensions, x.shape[1])
    size = max(BLOCK_ELEMENTS // x.numel(), 1)
    for part, of_part in zip(points.split(size), costs.split(size), strict=True):
        step = max(size // len(part), 1)
        for block, result in zip(coordinates.split(step), of_part.split(step, 1), strict=True):
            cost = constant_cost(problem, torch.where(block, part, plain).reshape(-1, *x.shape[1:]), params)
            result.copy_(cost.reshape(len(part), len(block), *x.shape[:2]).mean(2))
    return costs.movedim(1, 2).reshape(len(points), *q.batch_shape)
