"""Implicit reparameterization: x is a constant as the noise, and a function of the parameters in its derivative.

∇θ x = −∇θ F(x; θ) / q(x; θ), from the derivative of F(x(θ); θ) = u with u held fixed (Figurnov, Mohamed & Mnih 2018).
Gaussian mixtures, which need one such equation a dimension, stand in `rosenblatt.py`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.distributions as td
from torch import Tensor
from torch._C._functorch import peek_interpreter_stack  # pyright: ignore

from estimators.noise import NoiseSource
from estimators.sampling.looking import all_above
from estimators.sampling.transforms import InverseCDF, Transform

__all__ = ["Implicit", "by_level", "moving_gamma", "moving_log_gamma"]


def by_level(x: Tensor, level: Tensor, density: Tensor) -> Tensor:
    """x, with the derivative that keeps its level F(x; θ) fixed."""
    return x - (level - level.detach()) / density.detach()


SERIES = 1e-3
"""Where x is smaller, three terms of the series of F(x) = x^a Σ (−x)^i / (i! (a + i)) / Γ(a) leave 4e-14."""


def moving_log_gamma(noise: Tensor, concentration: Tensor) -> Tensor:
    """Logarithms of Gamma(concentration, 1) variates, with −∂F/(x q) as their derivative.

    Where x is not small it is torch's approximation, up to 0.5 % off.
    """
    fixed = concentration.detach()
    return noise + _log_slope(noise, fixed.expand_as(noise)) * (concentration - fixed)


def moving_gamma(noise: Tensor, concentration: Tensor) -> Tensor | None:
    """Gamma(concentration, 1) variates of their logarithms, with the derivative of `moving_log_gamma`, but sooner.

    None: some x may be so small that only their logarithms hold what is known of them.
    """
    if not all_above(noise, math.log(SERIES)):
        return None
    fixed, x = concentration.detach(), noise.exp()
    slope = _slope(fixed.expand_as(x), x)
    return x + slope * (concentration - fixed)


def _slope(concentration: Tensor, x: Tensor) -> Tensor:
    """torch's approximation of −∂F/q, which it maps one sample at a time by itself."""
    if torch.compiler.is_compiling() or peek_interpreter_stack() is None:
        return torch._standard_gamma_grad(concentration, x)  # pyright: ignore
    return _MappedSlope.apply(concentration, x)  # pyright: ignore


class _MappedSlope(torch.autograd.Function):
    """The same for all samples at once."""

    @staticmethod
    def forward(concentration: Tensor, x: Tensor) -> Tensor:
        return torch._standard_gamma_grad(concentration, x)  # pyright: ignore

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, concentration: Tensor, x: Tensor) -> tuple[Tensor, int]:
        both = [
            one if dim is None else one.movedim(dim, 0) for one, dim in zip((concentration, x), in_dims, strict=True)
        ]
        return _slope(*torch.broadcast_tensors(*both)), 0


def _log_slope(log_x: Tensor, a: Tensor) -> Tensor:
    with torch.no_grad():
        x = log_x.exp()
        small = log_x < math.log(SERIES)
        large = x.clamp(min=SERIES)
        by_torch = _slope(a, large) / large
        x = x.clamp(max=SERIES)
        # ψ(a) = ψ(a + 1) − 1/a, whose second term cancels: what is left keeps its digits as a tends to 0.
        first = 1 / a - x / (a + 1) + x**2 / (2 * (a + 2)) - x**3 / (6 * (a + 3))
        rest = (-x / (a + 1) ** 2 + x**2 / (a + 2) ** 2 - x**3 / (2 * (a + 3) ** 2)) / a
        by_series = -x.exp() * (first * (log_x - torch.digamma(a + 1)) + rest)
        return torch.where(small, by_series, by_torch)


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
