"""The Latin hypercube."""

from typing import final

from torch import Tensor

from estimators.noise.scheme import Scheme, register_scheme

__all__ = ["LatinHypercube"]


@final
@register_scheme("latin-hypercube")
class LatinHypercube(Scheme):
    """One point in each of S equal slices of every axis (McKay, Beckman & Conover 1979)."""

    summary = "one point in each of S slices of every axis"

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        slices = self.permutations(num_samples, replicates, dimensions)
        return (slices + self.source.uniform((num_samples, replicates, dimensions))) / num_samples
