"""The Beta distribution. Its widened proposal has both concentrations divided by the factor."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import logsigmoid

from estimators.noise import NoiseSource
from estimators.sampling.coordinates import in_coordinate, inside_unit_interval, share
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import moving_gamma, moving_log_gamma
from estimators.sampling.transforms import Transform


@final
@dataclass(frozen=True)
class LogRatio(Transform):
    """The logit of x: the difference of the logarithms of two Gamma variates, which are the noise."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.log_gamma(_concentrations(q).detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return self.values(q, moving_log_gamma(noise, _concentrations(q)))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return noise[..., 0] - noise[..., 1]


def _concentrations(q: Any) -> Tensor:
    return torch.stack([q.concentration1, q.concentration0], -1)


def _share_of_variates(q: Any, noise: Tensor) -> Tensor | None:
    g = moving_gamma(noise, _concentrations(q))
    return None if g is None else inside_unit_interval(g[..., 0] / g.sum(-1))


def _density(q: Any, logit: Tensor) -> Tensor:
    a, b = q.concentration1, q.concentration0
    normaliser = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
    return a * logsigmoid(logit) + b * logsigmoid(-logit) - normaliser


@register_family(td.Beta)
def beta() -> Family:
    return Family(
        forms=in_coordinate({"implicit": LogRatio()}, share, _density, _share_of_variates),
        widened=lambda q, factor: td.Beta(q.concentration1 / factor, q.concentration0 / factor),
    )
