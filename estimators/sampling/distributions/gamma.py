r"""The Gamma distribution.

Its weak derivative in $\beta$: $c = \alpha / \beta$, $x^+ = G / \beta$, $x^- = (G + E) / \beta$, coupled by the same G,
where G is Gamma(α, 1) and E is Exp(1).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import moving_gamma
from estimators.sampling.transforms import Transform
from estimators.sampling.weak_derivatives import Pair, Parts, one_uniform


@final
@dataclass(frozen=True)
class ImplicitGamma(Transform):
    """The noise is the Gamma(α, 1) variate."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.standard_gamma(q.concentration.detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return moving_gamma(noise, q.concentration) / q.rate

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return noise / q.rate.detach()


def _gamma_and_exponential(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    gamma = source.standard_gamma(q.concentration.detach(), num_samples)
    return gamma, -one_uniform(q, num_samples, source)[0].log()


@register_family(td.Gamma)
def gamma() -> Family:
    return Family(
        forms={"implicit": ImplicitGamma()},
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
