"""Student's t distribution."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import moving_gamma, moving_log_gamma
from estimators.sampling.transforms import Transform


@final
@dataclass(frozen=True)
class ImplicitStudentT(Transform):
    """x = loc + scale · z √(ν / 2g), z standard normal, g ~ Gamma(ν/2, 1): the noise is z and log g."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.normal_and_log_gamma(q.df.detach() / 2, num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        normal, log_gamma = noise.unbind(-1)
        half = q.df / 2
        g = moving_gamma(log_gamma, half)
        if g is None:
            return self._place(q, normal, moving_log_gamma(log_gamma, half))
        return q.loc + q.scale * normal * (half / g).sqrt()

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._place(q, noise[..., 0], noise[..., 1]).detach()

    @staticmethod
    def _place(q: Any, normal: Tensor, log_gamma: Tensor) -> Tensor:
        return q.loc + q.scale * normal * (q.df / 2).sqrt() * (-log_gamma / 2).exp()


def _log_prob(q: Any, x: Tensor) -> Tensor:
    """log q(x); torch's own squares x, which overflows where x does not."""
    half = q.df / 2
    length = torch.hypot((x - q.loc) / (q.scale * q.df.sqrt()), torch.ones_like(x))
    normaliser = torch.lgamma(half + 0.5) - torch.lgamma(half) - (q.df * torch.pi).log() / 2 - q.scale.log()
    return normaliser - (q.df + 1) * length.log()


@register_family(td.StudentT)
def student_t() -> Family:
    return Family(
        forms={"implicit": ImplicitStudentT()},
        log_prob=_log_prob,
        widened=lambda q, factor: td.StudentT(q.df, q.loc, q.scale * factor),
        shifted=lambda q, deviations: td.StudentT(q.df, q.loc + q.scale * deviations, q.scale),
    )
