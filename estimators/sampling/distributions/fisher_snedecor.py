"""Fisher's F distribution: the ratio of two Gamma variates, each divided by its mean."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import logsigmoid

from estimators.noise import NoiseSource
from estimators.sampling.coordinates import in_coordinate, positive
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import moving_gamma, moving_log_gamma
from estimators.sampling.transforms import Transform


@final
@dataclass(frozen=True)
class LogF(Transform):
    """log x = log(g₁ / m₁) − log(g₂ / m₂), m = df / 2, with the logarithms of Gamma(mᵢ, 1) variates as the noise."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.log_gamma(_halves(q).detach(), num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        halves = _halves(q)
        return self._ratio(moving_log_gamma(noise, halves) - halves.log())

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._ratio(noise - _halves(q).detach().log())

    @staticmethod
    def _ratio(logs: Tensor) -> Tensor:
        return logs[..., 0] - logs[..., 1]


def _halves(q: Any) -> Tensor:
    return torch.stack([q.df1, q.df2], -1) / 2


def _ratio_of_variates(q: Any, noise: Tensor) -> Tensor | None:
    halves = _halves(q)
    g = moving_gamma(noise, halves)
    if g is None:
        return None
    over = g / halves
    return over[..., 0] / over[..., 1]


def _density(q: Any, log_x: Tensor) -> Tensor:
    """That of the logit of x m₁ / (x m₁ + m₂), which is Beta(m₁, m₂)."""
    a, b = q.df1 / 2, q.df2 / 2
    logit = log_x + a.log() - b.log()
    normaliser = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
    return a * logsigmoid(logit) + b * logsigmoid(-logit) - normaliser


@register_family(td.FisherSnedecor)
def fisher_snedecor() -> Family:
    return Family(forms=in_coordinate({"implicit": LogF()}, positive, _density, _ratio_of_variates))
