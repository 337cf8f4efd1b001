"""From noise to samples: the kinds of function that turn a distribution's parameters and noise into x.

Which distribution has which forms stands in `forms.py`; the implicit forms have files of their own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from jaxtyping import Shaped
from torch import Tensor

from estimators.noise import IID, NoiseSource

__all__ = [
    "Discrete",
    "DiscreteFallback",
    "Fallback",
    "GaussianLocationScale",
    "InverseCDF",
    "LocationScale",
    "PoissonSample",
    "Pushforward",
    "Transform",
    "own_sample",
    "seed",
    "unwrap",
]


class Transform(ABC):
    """x as a function of a distribution's parameters and of noise."""

    differentiable: ClassVar[bool] = True
    """x is differentiable in the parameters."""
    fixed_noise: ClassVar[bool] = True
    """The noise does not depend on the parameters, so that it can be used again at other ones."""
    structured: ClassVar[bool] = True
    """The noise can come from any source, a structured one included."""
    gaussian_noise: ClassVar[bool] = False
    """The noise is standard normal."""

    @abstractmethod
    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        """Noise for samples `[S, R, *E]` of a distribution with batch `[R]` and event `E`."""

    @abstractmethod
    def sample(self, q: td.Distribution, noise: Tensor) -> Shaped[Tensor, "S R *E"]:
        """The samples that the noise stands for, differentiable in q's parameters where the form is."""

    def values(self, q: td.Distribution, noise: Tensor) -> Shaped[Tensor, "S R *E"]:
        """The same samples, detached: cheaper where the derivative takes more work than the sample."""
        with torch.no_grad():
            return self.sample(q, noise)


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

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return self.standard(source.uniform(_shape(q, num_samples)))

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return self.place(q, noise)


@final
@dataclass(frozen=True)
class GaussianLocationScale(Transform):
    """x = place(q, ε), ε standard normal."""

    place: Callable[[Any, Tensor], Tensor]
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


@final
@dataclass(frozen=True)
class PoissonSample(Transform):
    """The noise is the sample itself: its quantile function has no bounded number of steps."""

    differentiable: ClassVar[bool] = False
    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        rate = q.rate.detach()
        known = rate < 1e18  # torch's sampler refuses NaN, and gives negative numbers beyond its integers
        return source.poisson(rate.where(known, 0.0), num_samples).where(known, torch.nan)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return noise


def seed(q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
    """A seed for a distribution's own sampler, `[S]`. ValueError: the source is a structured one."""
    if not isinstance(source, IID):
        raise ValueError(f"{type(q).__name__} is sampled by its own sampler and takes no structured noise")
    words = torch.randint(2**62, (1,), generator=source.generator, device=source.device)
    return words.expand(num_samples)


def own_sample(q: td.Distribution, seed: Tensor) -> Tensor:
    """Samples of a distribution's own sampler; the global generator is put back after."""
    draw = q.rsample if q.has_rsample else q.sample
    with torch.random.fork_rng(devices=[seed.device] if seed.is_cuda else []):
        torch.manual_seed(int(seed[0]))
        return draw(seed.shape)


@final
@dataclass(frozen=True)
class Fallback(Transform):
    """Any other distribution through its own `rsample`; the noise is a seed."""

    structured: ClassVar[bool] = False

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return seed(q, num_samples, source)

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return own_sample(q, noise)


@final
@dataclass(frozen=True)
class DiscreteFallback(Transform):
    """Any other distribution without `rsample` through its own `sample`; the noise is a seed."""

    differentiable: ClassVar[bool] = False
    structured: ClassVar[bool] = False

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return seed(q, num_samples, source)

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return own_sample(q, noise)


@final
@dataclass(frozen=True)
class Pushforward(Transform):
    """Samples of a base distribution through the transforms of a `TransformedDistribution`, e.g. a normalizing flow."""

    base: Transform

    @property
    def differentiable(self) -> bool:  # pyright: ignore
        return self.base.differentiable

    @property
    def fixed_noise(self) -> bool:  # pyright: ignore
        return self.base.fixed_noise

    @property
    def structured(self) -> bool:  # pyright: ignore
        return self.base.structured

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return self.base.noise(unwrap(q.base_dist), num_samples, source)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        x = self.base.sample(unwrap(q.base_dist), noise)
        for transform in q.transforms:
            x = transform(x)
        return x
