"""Sobol' points."""

from typing import final

import torch
from torch import Tensor

from estimators.noise.scheme import Scheme, register_scheme
from estimators.noise.sobol import MAX_DIMENSIONS, scrambled_sobol

__all__ = ["Sobol"]


@final
@register_scheme("sobol")
class Sobol(Scheme):
    """Sobol' points with a nested uniform scrambling of its own for each replicate (Owen 1995).

    The scrambling is hash-based (Laine & Karras 2011; Burley 2020): each point is uniform, and whether a bit is flipped
    is a hash of the bits above it and of a seed of 32 bits, in place of independent random numbers.
    """

    summary = "Sobol points, Owen-scrambled by a hash; best where S is a power of 2"

    @classmethod
    def unsupported(cls, num_samples: int, dimensions: int) -> str | None:
        if dimensions > MAX_DIMENSIONS:
            return f"Sobol points have at most {MAX_DIMENSIONS} dimensions, not {dimensions}; try latin-hypercube"
        return None

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        seeds = (self.source.uniform((2, replicates, dimensions)) * 2**16).to(torch.int32)
        return scrambled_sobol(num_samples, (seeds[0] << 16) | seeds[1], self.dtype)
