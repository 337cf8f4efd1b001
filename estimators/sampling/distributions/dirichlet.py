"""The Dirichlet distribution. Its widened proposal has all concentrations divided by the factor."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import inside_unit_interval, moving_gamma
from estimators.sampling.transforms import Transform


@final
@dataclass(frozen=True)
class ImplicitDirichlet(Transform):
    """Gamma variates divided by their sum."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.standard_gamma(q.concentration.detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return self._share(moving_gamma(noise, q.concentration))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._share(noise)

    @staticmethod
    def _share(gammas: Tensor) -> Tensor:
        return inside_unit_interval(gammas / gammas.sum(-1, keepdim=True))


@register_family(td.Dirichlet)
def dirichlet() -> Family:
    return Family(
        forms={"implicit": ImplicitDirichlet()},
        widened=lambda q, factor: td.Dirichlet(q.concentration / factor),
    )
