"""The inverse Gamma distribution: 1/x is a Gamma variate."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.coordinates import in_coordinate, positive
from estimators.sampling.distributions.gamma import LogGamma, log_density
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import moving_gamma
from estimators.sampling.transforms import Transform


@final
@dataclass(frozen=True)
class MinusLogGamma(Transform):
    """log x = −log(1/x)."""

    gamma: LogGamma
    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return self.gamma.noise(q.base_dist, num_samples, source)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return -self.gamma.sample(q.base_dist, noise)

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return -self.gamma.values(q.base_dist, noise)


def _of_variate(q: Any, noise: Tensor) -> Tensor | None:
    g = moving_gamma(noise, q.base_dist.concentration)
    return None if g is None else q.base_dist.rate / g


def _density(q: Any, log_x: Tensor) -> Tensor:
    return log_density(q.base_dist, -log_x)


@register_family(td.InverseGamma)
def inverse_gamma() -> Family:
    return Family(forms=in_coordinate({"implicit": MinusLogGamma(LogGamma())}, positive, _density, _of_variate))
