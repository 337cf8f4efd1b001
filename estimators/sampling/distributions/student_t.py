"""Student's t distribution."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import moving_log_gamma
from estimators.sampling.transforms import Transform


@final
@dataclass(frozen=True)
class ImplicitStudentT(Transform):
    """x = loc + scale · z √(ν / 2g), z standard normal, g ~ Gamma(ν/2, 1): the noise is z and log g."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return source.normal_and_log_gamma(q.df.detach() / 2, num_samples)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return self._place(q, noise[..., 0], moving_log_gamma(noise[..., 1], q.df / 2))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._place(q, noise[..., 0], noise[..., 1]).detach()

    @staticmethod
    def _place(q: Any, normal: Tensor, log_gamma: Tensor) -> Tensor:
        return q.loc + q.scale * normal * (q.df / 2).sqrt() * (-log_gamma / 2).exp()


@register_family(td.StudentT)
def student_t() -> Family:
    return Family(
        forms={"implicit": ImplicitStudentT()},
        widened=lambda q, factor: td.StudentT(q.df, q.loc, q.scale * factor),
        shifted=lambda q, deviations: td.StudentT(q.df, q.loc + q.scale * deviations, q.scale),
    )
