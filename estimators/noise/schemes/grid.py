"""Stratified sampling."""

from typing import final

import torch
from torch import Tensor

from estimators.noise.scheme import Scheme, register_scheme

__all__ = ["Grid"]


@final
@register_scheme("grid")
class Grid(Scheme):
    """One uniform point in each cell of a regular grid of k^D cells: stratified sampling."""

    summary = "one point in each of k^D equal cells; S must be a D-th power"

    @classmethod
    def unsupported(cls, num_samples: int, dimensions: int) -> str | None:
        if _root(num_samples, dimensions) is None:
            return (
                f"a grid in {dimensions} dimensions needs num_samples to be a {dimensions}-th power above 1, "
                f"not {num_samples}; scheme=latin-hypercube takes any number"
            )
        return None

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        side = _root(num_samples, dimensions)
        assert side is not None
        index = torch.arange(num_samples, device=self.device)[:, None]
        cell = index // side ** torch.arange(dimensions, device=self.device) % side
        return (cell[:, None] + self.source.uniform((num_samples, replicates, dimensions))) / side


def _root(num_samples: int, dimensions: int) -> int | None:
    side = round(num_samples ** (1 / max(dimensions, 1)))
    return side if side > 1 and side**dimensions == num_samples else None
