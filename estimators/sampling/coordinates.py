"""Coordinates that hold what x rounds away: log x where x is nearly 0, the logit where it may be nearly 1 as well.

No parameter enters x as a function of its coordinate y: to hold y fixed is to hold x fixed, and the densities of the
two differ by a term without parameters.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.transforms import Forms, Through, Transform

__all__ = ["InCoordinate", "in_coordinate", "inside_unit_interval", "positive", "share"]


def inside_unit_interval(x: Tensor) -> Tensor:
    """x moved off 0 and 1, where densities on the unit interval are infinite."""
    limits = torch.finfo(x.dtype)
    return x.clamp(limits.tiny, 1 - limits.eps / 2)


def positive(y: Tensor) -> Tensor:
    """x > 0 of its logarithm, moved off 0 and infinity."""
    limits = torch.finfo(y.dtype)
    return y.clamp(max=math.log(limits.max) - 1e-4).exp().clamp(min=limits.tiny)


def share(y: Tensor) -> Tensor:
    """x between 0 and 1 of its logit."""
    return inside_unit_interval(y.sigmoid())


def _not_directly(q: Any, noise: Tensor) -> None:
    return None


@final
@dataclass(frozen=True)
class InCoordinate(Through):
    """x = place(y), where another form gives y."""

    base: Transform
    place: Callable[[Tensor], Tensor]
    density: Callable[[Any, Tensor], Tensor]
    """log q of y, but for terms without parameters."""
    directly: Callable[[Any, Tensor], Tensor | None] = _not_directly
    """x of the noise, sooner than by y; None: not for this noise."""

    @property
    def gaussian_noise(self) -> bool:  # pyright: ignore
        return self.base.gaussian_noise

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return self.base.noise(q, num_samples, source)

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        x = self.directly(q, noise)
        return self.place(self.base.sample(q, noise)) if x is None else x

    def drawn(self, q: td.Distribution, noise: Tensor) -> tuple[Tensor, ...]:
        y = self.base.values(q, noise)
        return self.place(y), y

    def log_density(self, q: td.Distribution, *drawn: Tensor) -> Tensor:
        return self.density(q, drawn[1])


def in_coordinate(
    forms: Forms,
    place: Callable[[Tensor], Tensor],
    density: Callable[[Any, Tensor], Tensor],
    directly: Callable[[Any, Tensor], Tensor | None] = _not_directly,
) -> Forms:
    """The forms of x = place(y), of those of y."""
    return {name: InCoordinate(form, place, density, directly) for name, form in forms.items()}
