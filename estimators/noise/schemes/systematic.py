"""Systematic sampling."""

from typing import final

from torch import Tensor

from estimators.noise.scheme import Scheme, register_scheme

__all__ = ["Systematic"]


@final
@register_scheme("systematic")
class Systematic(Scheme):
    """On every axis the points (i + U) / S in random order, with one U an axis (Madow 1949; Kitagawa 1996)."""

    summary = "equally spaced points with one random offset an axis"

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        slices = self.permutations(num_samples, replicates, dimensions)
        return (slices + self.source.uniform((1, replicates, dimensions))) / num_samples
