r"""The Gamma distribution.

Its weak derivative in $\beta$: $c = \alpha / \beta$, $x^+ = G / \beta$, $x^- = (G + E) / \beta$, coupled by the same G,
where G is Gamma(α, 1) and E is Exp(1).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.coordinates import in_coordinate, positive
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import moving_gamma, moving_log_gamma
from estimators.sampling.transforms import Transform
from estimators.sampling.weak_derivatives import Pair, Parts, one_uniform

__all__ = ["LogGamma", "log_density"]


@final
@dataclass(frozen=True)
class LogGamma(Transform):
    """log x, with the logarithm of the Gamma(α, 1) variate as the noise."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.log_gamma(q.concentration.detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return moving_log_gamma(noise, q.concentration) - q.rate.log()

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return noise - q.rate.detach().log()


def _of_variate(q: Any, noise: Tensor) -> Tensor | None:
    g = moving_gamma(noise, q.concentration)
    if g is None:
        return None
    # 1 / rate by its logarithm: the derivative of a division overflows, or vanishes, where rates are extreme.
    return (g * q.rate.log().neg().exp()).clamp(max=torch.finfo(g.dtype).max)


def log_density(q: Any, log_x: Tensor) -> Tensor:
    """log q of log x."""
    a = q.concentration
    scaled = log_x + q.rate.log()
    return a * scaled - scaled.exp() - torch.lgamma(a)


def _gamma_and_exponential(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    gamma = source.standard_gamma(q.concentration.detach(), num_samples)
    return gamma, -one_uniform(q, num_samples, source)[0].log()


@register_family(td.Gamma)
def gamma() -> Family:
    return Family(
        forms=in_coordinate({"implicit": LogGamma()}, positive, log_density, _of_variate),
        widened=lambda q, factor: td.Gamma(q.concentration, q.rate / factor),
        weak_derivatives={
            "rate": Pair(
                lambda q: q.concentration / q.rate,
                lambda q, g, e: g / q.rate,
                lambda q, g, e: (g + e) / q.rate,
                _gamma_and_exponential,
            )
        },
    )
