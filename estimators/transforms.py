"""From noise to samples: the kinds of function that turn a distribution's parameters and noise into x.

Which distribution has which forms stands in `families.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.noise import IID, NoiseSource

__all__ = [
    "Discrete",
    "DiscreteFallback",
    "Fallback",
    "GaussianLocationScale",
    "Implicit",
    "ImplicitGamma",
    "InverseCDF",
    "LocationScale",
    "PoissonSample",
    "Transform",
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
    def sample(self, q: td.Distribution, noise: Tensor) -> Float[Tensor, "S R *E"]:
        """The samples that the noise stands for."""


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
class Implicit(Transform):
    """x fixed, with ∇θ x = −∇θ F(x; θ) / q(x; θ) (Figurnov, Mohamed & Mnih 2018)."""

    quantile: InverseCDF

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return self.quantile.noise(q, num_samples, source)

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        x = self.quantile.sample(q, noise).detach()
        level = q.cdf(x)
        return x - (level - level.detach()) / q.log_prob(x).exp().detach()


@final
@dataclass(frozen=True)
class ImplicitGamma(Transform):
    """The noise is the Gamma(α, 1) sample itself; its derivative in α is torch's approximation to −∂αF/q."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.standard_gamma(q.concentration.detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        alpha = q.concentration
        slope = torch._standard_gamma_grad(alpha.detach().expand_as(noise).contiguous(), noise)  # pyright: ignore
        return (noise + slope * (alpha - alpha.detach())) / q.rate


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
        return source.poisson(q.rate.detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return noise


@final
@dataclass(frozen=True)
class Fallback(Transform):
    """Any other distribution through its own sampler, seeded by the noise; the global generator is put back after."""

    structured: ClassVar[bool] = False

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        if not isinstance(source, IID):
            raise ValueError(f"{type(q).__name__} is sampled by its own sampler and takes no structured noise")
        words = torch.randint(2**62, (1,), generator=source.generator, device=source.device)
        return words.expand(num_samples)

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        draw = q.rsample if q.has_rsample else q.sample
        with torch.random.fork_rng(devices=[noise.device] if noise.is_cuda else []):
            torch.manual_seed(int(noise[0]))
            return draw(noise.shape)


@final
@dataclass(frozen=True)
class DiscreteFallback(Transform):
    """`Fallback` for a distribution without `rsample`."""

    differentiable: ClassVar[bool] = False
    structured: ClassVar[bool] = False

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return Fallback().noise(q, num_samples, source)

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return Fallback().sample(q, noise)
