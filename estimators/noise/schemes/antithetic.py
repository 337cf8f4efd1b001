"""Pairs of mirrored points."""

import math
from typing import final

import torch
from torch import Tensor

from estimators.noise.scheme import Scheme, register_scheme
from estimators.noise.source import Shape

__all__ = ["Antithetic"]


@final
@register_scheme("antithetic")
class Antithetic(Scheme):
    """Pairs u, 1 - u (Hammersley & Morton 1956); normals in pairs z, -z."""

    summary = "pairs of mirrored points; S must be even"

    @classmethod
    def unsupported(cls, num_samples: int, dimensions: int) -> str | None:
        return None if num_samples % 2 == 0 else f"antithetic pairs need an even num_samples, not {num_samples}"

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        half = self.source.uniform((num_samples // 2, replicates, dimensions))
        return torch.cat([half, 1 - half])

    def normal(self, shape: Shape) -> Tensor:
        self.require(shape[0], math.prod(shape[2:]))
        half = self.source.normal((shape[0] // 2, *shape[1:]))
        return torch.cat([half, -half])
