"""The von Mises distribution on the circle.

Its widened proposal has the concentration divided by the square of the factor.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import IID, NoiseSource
from estimators.noise.quantiles import von_mises_quantile, von_mises_tail
from estimators.sampling.family import Family, register_family
from estimators.sampling.own_sampler import own_sample, seed
from estimators.sampling.transforms import Transform


@final
@dataclass(frozen=True)
class ImplicitVonMises(Transform):
    """The noise is the angle from loc; torch has no rsample, and differentiating its rejection sampler is biased."""

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        loc, concentration = q.loc.detach(), q.concentration.detach()
        if not isinstance(source, IID):
            return von_mises_quantile(source.uniform((num_samples, *loc.shape)), concentration)
        # torch's rejection sampler does not end at 0, at NaN, or where angles are smaller than rounding.
        drawn = concentration.clamp(1e-30, 1e15).nan_to_num(1.0)
        centred = td.VonMises(torch.zeros_like(loc), drawn, validate_args=False)
        return own_sample(centred, seed(q, num_samples, source)).where(concentration.isfinite(), torch.nan)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        concentration = q.concentration
        fixed = concentration.detach()
        slope = noise.sign() * von_mises_tail(noise.abs(), fixed)
        return self._wrap(q.loc + noise + slope * (concentration - fixed))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self._wrap(q.loc.detach() + noise)

    @staticmethod
    def _wrap(angle: Tensor) -> Tensor:
        return torch.remainder(angle + torch.pi, 2 * torch.pi) - torch.pi


@register_family(td.VonMises)
def von_mises() -> Family:
    return Family(
        forms={"implicit": ImplicitVonMises()},
        widened=lambda q, factor: td.VonMises(q.loc, q.concentration / factor**2),
        circular=True,
    )
