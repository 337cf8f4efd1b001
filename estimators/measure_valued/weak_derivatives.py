r"""Weak derivatives: $\partial_\varphi q = c_\varphi (p^+ - p^-)$, for a parameter $\varphi$ of a distribution q.

Which distribution has which stands in `decompositions.py`. Shapes: q has the batch `[R, *B]`; points are samples of it,
`[M, S, R, *B]`, and costs are means over S, `[M, R, *B]`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, Problem
from estimators.noise import NoiseSource

__all__ = ["Categories", "Pair", "Parts", "WeakDerivative", "costs_at"]

BLOCK_ELEMENTS = 2**18
"""Element-samples at which the cost is evaluated at a time."""

Parts = tuple[Tensor, ...]


class WeakDerivative(ABC):
    """Where the cost is evaluated, and what of it makes the derivative in one parameter."""

    @abstractmethod
    def noise(self, q: Any, num_samples: int, source: NoiseSource, coupled: bool) -> list[Parts]:
        """The base noise of the points: one for both sides of a coupled pair, else one for each."""

    @abstractmethod
    def points(self, q: Any, noise: list[Parts], like: Tensor) -> Tensor:
        """The points `[M, S, R, *B]`, in the shape and dtype of a sample `[S, R, *B]`."""

    @abstractmethod
    def slope(self, q: Any, costs: Float[Tensor, "M R *B"]) -> Tensor:
        """The derivative of the expected cost in the parameter, of the parameter's shape."""

    @abstractmethod
    def count(self, q: Any) -> int:
        """M, the number of points."""


@final
@dataclass(frozen=True)
class Pair(WeakDerivative):
    """A scalar parameter: c and the points x⁺ and x⁻, all functions of q and of the noise that one pair shares."""

    coefficient: Callable[[Any], Tensor]
    positive: Callable[..., Tensor]
    negative: Callable[..., Tensor]
    draw: Callable[[Any, int, NoiseSource], Parts]

    def noise(self, q: Any, num_samples: int, source: NoiseSource, coupled: bool) -> list[Parts]:
        return [self.draw(q, num_samples, source) for _ in range(1 if coupled else 2)]

    def points(self, q: Any, noise: list[Parts], like: Tensor) -> Tensor:
        sides = (self.positive(q, *noise[0]), self.negative(q, *noise[-1]))
        return torch.stack([side.to(like.dtype).expand_as(like) for side in sides])

    def slope(self, q: Any, costs: Float[Tensor, "M R *B"]) -> Tensor:
        return self.coefficient(q) * (costs[0] - costs[1])

    def count(self, q: Any) -> int:
        return 2


@final
@dataclass(frozen=True)
class Categories(WeakDerivative):
    """The probabilities of K categories, which sum to one: each with c = 1 against the last, which all pairs share."""

    states: Callable[[int, torch.device], Tensor]

    def noise(self, q: Any, num_samples: int, source: NoiseSource, coupled: bool) -> list[Parts]:
        return []

    def points(self, q: Any, noise: list[Parts], like: Tensor) -> Tensor:
        states = self.states(self.count(q), like.device).to(like.dtype)
        shape = (len(states), *[1] * (like.ndim - states.ndim + 1), *states.shape[1:])
        return states.reshape(shape).expand(len(states), *like.shape)

    def slope(self, q: Any, costs: Float[Tensor, "M R *B"]) -> Tensor:
        return (costs - costs[-1]).movedim(0, -1)

    def count(self, q: Any) -> int:
        return q.probs.shape[-1]


def costs_at(points: Tensor, x: Tensor, problem: Problem, params: Params, q: Any) -> Float[Tensor, "M R *B"]:
    """The mean cost over S of x `[S, R, *B]` with each coordinate in turn taken from each of the points."""
    constant = {name: value.detach() for name, value in params.items()}
    dimensions = q.batch_shape[1:].numel()
    plain = x.reshape(*x.shape[:2], dimensions, *q.event_shape)
    points = points.reshape(-1, 1, *plain.shape)
    coordinates = torch.eye(dimensions, dtype=torch.bool, device=x.device)
    coordinates = coordinates.reshape(dimensions, 1, 1, dimensions, *[1] * len(q.event_shape))
    # Allocated ahead: small tensors kept on the way fragment the heap.
    costs = next(iter(constant.values())).new_empty(len(points), dimensions, x.shape[1])
    size = max(BLOCK_ELEMENTS // x.numel(), 1)
    for part, of_part in zip(points.split(size), costs.split(size), strict=True):
        step = max(size // len(part), 1)
        for block, result in zip(coordinates.split(step), of_part.split(step, 1), strict=True):
            cost = problem.cost(torch.where(block, part, plain).reshape(-1, *x.shape[1:]), constant)
            result.copy_(cost.reshape(len(part), len(block), *x.shape[:2]).mean(2))
    return costs.movedim(1, 2).reshape(len(points), *q.batch_shape)
