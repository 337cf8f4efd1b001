"""Implicit reparameterization: x is a constant as the noise, and a function of the parameters in its derivative.

∇θ x = −∇θ F(x; θ) / q(x; θ), from the derivative of F(x(θ); θ) = u with u held fixed (Figurnov, Mohamed & Mnih 2018).
Gaussian mixtures, which need one such equation a dimension, stand in `rosenblatt.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import IID, NoiseSource
from estimators.noise.quantiles import von_mises_quantile, von_mises_tail
from estimators.sampling.transforms import InverseCDF, Transform, own_sample, seed

__all__ = ["Implicit", "ImplicitBeta", "ImplicitCDF", "ImplicitDirichlet", "ImplicitGamma", "ImplicitStudentT"]
__all__ += ["ImplicitVonMises"]


def _by_level(x: Tensor, level: Tensor, density: Tensor) -> Tensor:
    return x - (level - level.detach()) / density.detach()


def _cdf(q: td.Distribution, x: Tensor) -> Tensor:
    return q.cdf(x)


def _density(q: td.Distribution, x: Tensor) -> Tensor:
    return q.log_prob(x).exp()


@final
@dataclass(frozen=True)
class Implicit(Transform):
    """The quantile of a fixed uniform, which is differentiated by the distribution function."""

    quantile: InverseCDF
    cdf: Callable[[Any, Tensor], Tensor] = _cdf
    density: Callable[[Any, Tensor], Tensor] = _density

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return self.quantile.noise(q, num_samples, source)

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        x = self.values(q, noise)
        return _by_level(x, self.cdf(q, x), self.density(q, x))

    def values(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return self.quantile.values(q, noise)


@final
@dataclass(frozen=True)
class ImplicitCDF(Transform):
    """Any one-dimensional distribution with a differentiable `cdf`: the noise is what its own sampler gives."""

    fixed_noise: ClassVar[bool] = False
    structured: ClassVar[bool] = False

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return own_sample(q, seed(q, num_samples, source)).detach()

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return _by_level(noise, q.cdf(noise), q.log_prob(noise).exp())

    def values(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return noise


def _gamma(noise: Tensor, concentration: Tensor) -> Tensor:
    """Gamma(concentration, 1) variates with torch's approximation to −∂F/q as their derivative (up to 0.5 % off)."""
    fixed = concentration.detach()
    slope = torch._standard_gamma_grad(fixed.expand_as(noise).contiguous(), noise)  # pyright: ignore
    return noise + slope * (concentration - fixed)


@final
@dataclass(frozen=True)
class ImplicitGamma(Transform):
    """The noise is the Gamma(α, 1) variate."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.standard_gamma(q.concentration.detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return _gamma(noise, q.concentration) / q.rate

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return noise / q.rate.detach()


def _open(x: Tensor) -> Tensor:
    """Off 0 and 1, where densities of the unit interval are infinite."""
    limits = torch.finfo(x.dtype)
    return x.clamp(limits.tiny, 1 - limits.eps / 2)


@final
@dataclass(frozen=True)
class ImplicitDirichlet(Transform):
    """Gamma variates divided by their sum."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.standard_gamma(q.concentration.detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return self._share(_gamma(noise, q.concentration))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._share(noise)

    @staticmethod
    def _share(gammas: Tensor) -> Tensor:
        return _open(gammas / gammas.sum(-1, keepdim=True))


@final
@dataclass(frozen=True)
class ImplicitBeta(Transform):
    """The share of the first of two Gamma variates."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.standard_gamma(self._concentrations(q).detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return self._share(_gamma(noise, self._concentrations(q)))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._share(noise)

    @staticmethod
    def _concentrations(q: Any) -> Tensor:
        return torch.stack([q.concentration1, q.concentration0], -1)

    @staticmethod
    def _share(gammas: Tensor) -> Tensor:
        return _open(gammas[..., 0] / gammas.sum(-1))


@final
@dataclass(frozen=True)
class ImplicitStudentT(Transform):
    """x = loc + scale · z √(ν / 2g), z standard normal, g ~ Gamma(ν/2, 1) with its implicit derivative."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.normal_and_gamma(q.df.detach() / 2, num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return self._place(q, noise[..., 0], _gamma(noise[..., 1], q.df / 2))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._place(q, noise[..., 0], noise[..., 1]).detach()

    @staticmethod
    def _place(q: Any, normal: Tensor, gamma: Tensor) -> Tensor:
        return q.loc + q.scale * normal * (q.df / (2 * gamma)).sqrt()


@final
@dataclass(frozen=True)
class ImplicitVonMises(Transform):
    """The noise is the angle from loc; torch has no rsample, and differentiating its rejection sampler is biased."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        loc, concentration = q.loc.detach(), q.concentration.detach()
        if not isinstance(source, IID):
            return von_mises_quantile(source.uniform((num_samples, *loc.shape)), concentration)
        # Where torch's rejection sampler ends: not at 0, not at NaN, not where angles are smaller than rounding.
        drawn = concentration.clamp(1e-30, 1e15).nan_to_num(1.0)
        centred = td.VonMises(torch.zeros_like(loc), drawn, validate_args=False)
        return own_sample(centred, seed(q, num_samples, source)).where(concentration.isfinite(), torch.nan)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        concentration = q.concentration
        fixed = concentration.detach()
        slope = noise.sign() * von_mises_tail(noise.abs(), fixed)
        return self._wrap(q.loc + noise + slope * (concentration - fixed))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._wrap(q.loc.detach() + noise)

    @staticmethod
    def _wrap(angle: Tensor) -> Tensor:
        return torch.remainder(angle + torch.pi, 2 * torch.pi) - torch.pi
