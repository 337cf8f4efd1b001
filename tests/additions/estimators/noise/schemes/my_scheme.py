"""A sampling scheme of one's own."""

import torch
from torch import Tensor

from estimators.noise.scheme import Scheme, register_scheme


@register_scheme("my-scheme")
class MyScheme(Scheme):
    """Equally spaced points, rotated by one offset an axis (Cranley & Patterson 1976)."""

    summary = "equally spaced points in the same order on every axis, rotated"

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        steps = torch.arange(num_samples, device=self.device, dtype=self.dtype) / num_samples
        return (steps[:, None, None] + self.source.uniform((1, replicates, dimensions))) % 1
