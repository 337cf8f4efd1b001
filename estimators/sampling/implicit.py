"""Implicit reparameterization: x is a constant as the noise, and a function of the parameters in its derivative.

∇θ x = −∇θ F(x; θ) / q(x; θ), from the derivative of F(x(θ); θ) = u with u held fixed (Figurnov, Mohamed & Mnih 2018).
Gaussian mixtures, which need one such equation a dimension, stand in `rosenblatt.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.transforms import InverseCDF, Transform

__all__ = ["Implicit", "by_level", "inside_unit_interval", "moving_gamma"]


def by_level(x: Tensor, level: Tensor, density: Tensor) -> Tensor:
    """x, with the derivative that keeps its level F(x; θ) fixed."""
    return x - (level - level.detach()) / density.detach()


def moving_gamma(noise: Tensor, concentration: Tensor) -> Tensor:
    """Gamma(concentration, 1) variates with torch's approximation to −∂F/q as their derivative (up to 0.5 % off)."""
    fixed = concentration.detach()
    slope = torch._standard_gamma_grad(fixed.expand_as(noise).contiguous(), noise)  # pyright: ignore
    return noise + slope * (concentration - fixed)


def inside_unit_interval(x: Tensor) -> Tensor:
    """x moved off 0 and 1, where densities on the unit interval are infinite."""
    limits = torch.finfo(x.dtype)
    return x.clamp(limits.tiny, 1 - limits.eps / 2)


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
        return by_level(x, self.cdf(q, x), self.density(q, x))

    def values(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return self.quantile.values(q, noise)
