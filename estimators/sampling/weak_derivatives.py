r"""Weak derivatives: $\partial_\varphi q = c_\varphi (p^+ - p^-)$, for a parameter $\varphi$ of a distribution q.

The file of a distribution says which it has. Shapes: q has the batch `[R, *B]`; points are samples of it,
`[M, S, R, *B]`, and costs are means over S, `[M, R, *B]`.
Pflug 1996; Heidergott, Vázquez-Abad & Volk-Makarewicz 2008; Mohamed et al. 2020, sec. 6, table 1.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.noise import NoiseSource

__all__ = ["Categories", "Pair", "Parts", "WeakDerivative", "one_uniform", "two_exponentials"]

Parts = tuple[Tensor, ...]


class WeakDerivative(ABC):
    """The points where the cost is evaluated, and how the derivative in one parameter follows from the costs there."""

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


def one_uniform(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    """A uniform for each variable: what a `Pair` draws."""
    return (source.uniform((num_samples, *q.batch_shape)),)


def two_exponentials(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    """Two Exp(1) for each variable: what a `Pair` draws."""
    return tuple(-source.uniform((num_samples, *q.batch_shape)).log() for _ in range(2))
