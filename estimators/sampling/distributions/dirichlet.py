"""The Dirichlet distribution. Its widened proposal has all concentrations divided by the factor."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.coordinates import in_coordinate, inside_unit_interval
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import moving_gamma, moving_log_gamma
from estimators.sampling.transforms import Transform


@final
@dataclass(frozen=True)
class LogShares(Transform):
    """log x: the logarithms of Gamma variates, which are the noise, less that of their sum."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.log_gamma(q.concentration.detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return self.values(q, moving_log_gamma(noise, q.concentration))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return noise.log_softmax(-1)


def _place(log_shares: Tensor) -> Tensor:
    return inside_unit_interval(log_shares.exp())


def _shares_of_variates(q: Any, noise: Tensor) -> Tensor | None:
    g = moving_gamma(noise, q.concentration)
    return None if g is None else inside_unit_interval(g / g.sum(-1, keepdim=True))


def _density(q: Any, log_shares: Tensor) -> Tensor:
    a = q.concentration
    return (a * log_shares - torch.lgamma(a)).sum(-1) + torch.lgamma(a.sum(-1))


@register_family(td.Dirichlet)
def dirichlet() -> Family:
    return Family(
        forms=in_coordinate({"implicit": LogShares()}, _place, _density, _shares_of_variates),
        widened=lambda q, factor: td.Dirichlet(q.concentration / factor),
    )
