r"""The Poisson distribution. Its widened proposal has the rate multiplied by the factor.

Its weak derivative in $\lambda$: $c = 1$, $x^+ = n + 1$, $x^- = n$, coupled by the same n, which is Poisson(λ).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.family import Family, register_family
from estimators.sampling.transforms import Transform
from estimators.sampling.weak_derivatives import Pair, Parts


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


def _counts(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    return (source.poisson(q.rate.detach(), num_samples),)


@register_family(td.Poisson)
def poisson() -> Family:
    return Family(
        forms={"sample": PoissonSample()},
        widened=lambda q, factor: td.Poisson(q.rate * factor),
        weak_derivatives={"rate": Pair(lambda q: torch.ones_like(q.rate), lambda q, n: n + 1, lambda q, n: n, _counts)},
    )
