"""Where randomness comes from.

An estimator asks a `NoiseSource` for base noise of a shape `[S, R, *E]` and is a deterministic function of it from then
on. Another way to sample (strata, antithetic pairs, a faster generator, another device) is another source.
"""

import hashlib
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from estimators.noise.quantiles import gamma_quantile, log_gamma_quantile, poisson_quantile

__all__ = ["IID", "NoiseSource", "derive_seed", "open_interval"]

Shape = tuple[int, ...]

SMALL = 0.25
"""A Gamma variate of a smaller concentration may be less than float32 can hold: its logarithm is drawn."""


def derive_seed(*parts: object) -> int:
    """A seed of 63 bits that depends on every part and nothing else, equal on every machine."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def open_interval(u: Tensor) -> Tensor:
    """Uniforms moved off 0 and 1, in place: float32 `torch.rand` returns exact zeros about once in 2e7 draws."""
    half_ulp = torch.finfo(u.dtype).eps / 2
    return u.clamp_(half_ulp / 2, 1 - half_ulp)


class NoiseSource(ABC):
    """Random numbers on one device, in one dtype; a law without a sampler of its own is inverted from uniforms."""

    device: torch.device
    dtype: torch.dtype

    @abstractmethod
    def uniform(self, shape: Shape) -> Tensor:
        """Uniforms on the open interval (0, 1); the first axis of the shape counts samples, the second replicates."""

    @abstractmethod
    def stream(self, purpose: str) -> "NoiseSource":
        """Independent iid noise for something other than x (a second uniform, a direction, a fit), by its purpose."""

    def normal(self, shape: Shape) -> Tensor:
        """Standard normals."""
        return torch.special.ndtri(self.uniform(shape))

    def standard_gamma(self, concentration: Tensor, num_samples: int) -> Tensor:
        """Gamma(concentration, 1) variates `[S, *concentration.shape]`."""
        return gamma_quantile(self.uniform((num_samples, *concentration.shape)), concentration)

    def log_gamma(self, concentration: Tensor, num_samples: int) -> Tensor:
        """Logarithms of Gamma(concentration, 1) variates `[S, *concentration.shape]`, finite where those round to 0."""
        return log_gamma_quantile(self.uniform((num_samples, *concentration.shape)), concentration)

    def normal_and_log_gamma(self, concentration: Tensor, num_samples: int) -> Tensor:
        """Standard normals and logarithms of Gamma(concentration, 1) variates, `[S, *concentration.shape, 2]`."""
        normal, gamma = self.uniform((num_samples, *concentration.shape, 2)).unbind(-1)
        return torch.stack([torch.special.ndtri(normal), log_gamma_quantile(gamma, concentration)], -1)

    def poisson(self, rate: Tensor, num_samples: int) -> Tensor:
        """Poisson(rate) variates `[S, *rate.shape]`, as floating point."""
        return poisson_quantile(self.uniform((num_samples, *rate.shape)), rate)


class IID(NoiseSource):
    """Independent noise from one seeded generator; torch's global generator is never touched."""

    def __init__(self, seed: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32):
        self.seed, self.device, self.dtype = seed, torch.device(device), dtype
        self.generator = torch.Generator(device=self.device).manual_seed(seed)
        self._streams: dict[str, IID] = {}

    def uniform(self, shape: Shape) -> Tensor:
        return open_interval(torch.rand(shape, generator=self.generator, device=self.device, dtype=self.dtype))

    def normal(self, shape: Shape) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device, dtype=self.dtype)

    def standard_gamma(self, concentration: Tensor, num_samples: int) -> Tensor:
        tiny = torch.finfo(concentration.dtype).tiny
        expanded = concentration.expand(num_samples, *concentration.shape)
        return torch._standard_gamma(expanded, generator=self.generator).clamp_(min=tiny)  # pyright: ignore

    def log_gamma(self, concentration: Tensor, num_samples: int) -> Tensor:
        """Where a is small, log g(a) = log g(a + 1) + log(u) / a (Marsaglia & Tsang 2000, sec. 6)."""
        small = concentration < SMALL
        if not bool(small.any()):
            return self.standard_gamma(concentration, num_samples).log()
        drawn = self.standard_gamma(concentration + small.to(concentration.dtype), num_samples).log()
        return torch.where(small, drawn + self.uniform(tuple(drawn.shape)).log() / concentration, drawn)

    def normal_and_log_gamma(self, concentration: Tensor, num_samples: int) -> Tensor:
        normal = self.normal((num_samples, *concentration.shape))
        return torch.stack([normal, self.log_gamma(concentration, num_samples)], -1)

    def poisson(self, rate: Tensor, num_samples: int) -> Tensor:
        return torch.poisson(rate.expand(num_samples, *rate.shape), generator=self.generator)

    def stream(self, purpose: str) -> "IID":
        if purpose not in self._streams:
            self._streams[purpose] = type(self)(derive_seed(self.seed, purpose), self.device, self.dtype)
        return self._streams[purpose]
