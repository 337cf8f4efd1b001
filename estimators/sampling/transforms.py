"""From noise to samples: the kinds of function that turn a distribution's parameters and noise into x.

The file of a distribution in `distributions/` says which forms it has, and holds the forms that it alone has.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from jaxtyping import Shaped
from torch import Tensor

from estimators.noise import NoiseSource

__all__ = [
    "Discrete",
    "Forms",
    "GaussianLocationScale",
    "InverseCDF",
    "LocationScale",
    "Through",
    "Transform",
    "unwrap",
]


class Transform(ABC):
    """x as a function of a distribution's parameters and of noise.

    One run of a program has q of one variable without the axis of replicates, and noise `[1, *E]`.
    """

    differentiable: ClassVar[bool] = True
    """x is differentiable in the parameters."""
    explicit: ClassVar[bool] = False
    """x is computed from the parameters as the function that it is: its higher derivatives are right too."""
    fixed_noise: ClassVar[bool] = True
    """The noise does not depend on the parameters, so that it can be used again at other ones."""
    structured: ClassVar[bool] = True
    """The noise can come from any source, a structured one included."""
    gaussian_noise: ClassVar[bool] = False
    """The noise is standard normal."""
    seeded: ClassVar[bool] = False
    """The noise is one seed for all replicates, and has no axis of theirs."""
    straight_through: ClassVar[bool] = False
    """x is discrete and carries the derivative of something else: whatever is made of it is biased."""

    @abstractmethod
    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        """Noise for samples `[S, R, *E]` of a distribution with batch `[R]` and event `E`."""

    @abstractmethod
    def sample(self, q: td.Distribution, noise: Tensor) -> Shaped[Tensor, "S *RE"]:
        """The samples that the noise stands for, differentiable in q's parameters where the form is."""

    def values(self, q: td.Distribution, noise: Tensor) -> Shaped[Tensor, "S *RE"]:
        """The same samples, detached: cheaper where the derivative takes more work than the sample."""
        with torch.no_grad():
            return self.sample(q, noise)

    def drawn(self, q: td.Distribution, noise: Tensor) -> tuple[Tensor, ...]:
        """`values`, and after them, each `[S, R, *]`, what they are made of where that says more than they do.

        x may have rounded: to 1, of which the logit is not known any more, or to 0, of which the logarithm is not.
        """
        return (self.values(q, noise),)

    def log_density(self, q: td.Distribution, *drawn: Tensor) -> Tensor | None:
        """log q `[S, R, *B]` at what `drawn` gave, but for terms without parameters; None: it is that of x alone.

        x is what is held fixed in the derivative.
        """
        return None


class Through(Transform):
    """x as a function of what another transform gives, with its properties. A subclass is a dataclass with `base`."""

    base: Transform

    @property
    def differentiable(self) -> bool:  # pyright: ignore
        return self.base.differentiable

    @property
    def explicit(self) -> bool:  # pyright: ignore
        return self.base.explicit

    @property
    def fixed_noise(self) -> bool:  # pyright: ignore
        return self.base.fixed_noise

    @property
    def structured(self) -> bool:  # pyright: ignore
        return self.base.structured

    @property
    def seeded(self) -> bool:  # pyright: ignore
        return self.base.seeded

    def values(self, q: td.Distribution, noise: Tensor) -> Shaped[Tensor, "S *RE"]:
        return self.drawn(q, noise)[0]


Forms = dict[str, Transform]
"""Ways to sample a distribution by name, the default first."""


def unwrap(q: td.Distribution) -> td.Distribution:
    """The distribution inside any `Independent`: the same samples, with the event's dimensions in the batch."""
    while isinstance(q, td.Independent):
        q = q.base_dist
    return q


def _shape(q: td.Distribution, num_samples: int) -> tuple[int, ...]:
    return (num_samples, *q.batch_shape, *q.event_shape)


@final
@dataclass(frozen=True)
class LocationScale(Transform):
    """x = place(q, z), z of the standard distribution: loc + scale·z and its relatives."""

    standard: Callable[[Tensor], Tensor]
    place: Callable[[Any, Tensor], Tensor]
    explicit: ClassVar[bool] = True

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return self.standard(source.uniform(_shape(q, num_samples)))

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return self.place(q, noise)


@final
@dataclass(frozen=True)
class GaussianLocationScale(Transform):
    """x = place(q, ε), ε standard normal."""

    place: Callable[[Any, Tensor], Tensor]
    explicit: ClassVar[bool] = True
    gaussian_noise: ClassVar[bool] = True

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return source.normal(_shape(q, num_samples))

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return self.place(q, noise)


@final
@dataclass(frozen=True)
class InverseCDF(Transform):
    """x = F⁻¹(u; θ); for the exponential −log(u)/λ, the log trick."""

    standard: Callable[[Tensor], Tensor]
    place: Callable[[Any, Tensor], Tensor]
    explicit: ClassVar[bool] = True

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return source.uniform(_shape(q, num_samples))

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return self.place(q, self.standard(noise))


@final
@dataclass(frozen=True)
class Discrete(Transform):
    """The quantile function of a discrete distribution: a step function of the uniforms."""

    quantile: Callable[[Any, Tensor], Tensor]
    differentiable: ClassVar[bool] = False

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return source.uniform((num_samples, *q.batch_shape))

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return self.quantile(q, noise)
