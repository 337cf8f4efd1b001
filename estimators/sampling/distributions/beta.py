"""The Beta distribution. Its widened proposal has both concentrations divided by the factor."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import inside_unit_interval, moving_gamma
from estimators.sampling.transforms import Transform


@final
@dataclass(frozen=True)
class ImplicitBeta(Transform):
    """The share of the first of two Gamma variates."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.standard_gamma(self._concentrations(q).detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return self._share(moving_gamma(noise, self._concentrations(q)))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._share(noise)

    @staticmethod
    def _concentrations(q: Any) -> Tensor:
        return torch.stack([q.concentration1, q.concentration0], -1)

    @staticmethod
    def _share(gammas: Tensor) -> Tensor:
        return inside_unit_interval(gammas[..., 0] / gammas.sum(-1))


@register_family(td.Beta)
def beta() -> Family:
    return Family(
        forms={"implicit": ImplicitBeta()},
        widened=lambda q, factor: td.Beta(q.concentration1 / factor, q.concentration0 / factor),
    )
