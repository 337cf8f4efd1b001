"""Random directions of identity covariance: what is differentiated, or moved, in place of one entry after the other."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.noise.source import NoiseSource, Shape

__all__ = ["DIRECTIONS", "gaussian", "orthogonal", "rademacher"]


def rademacher(shape: Shape, source: NoiseSource) -> Float[Tensor, "N R P"]:
    """Entries of ±1."""
    return torch.where(source.uniform(shape) < 0.5, -1.0, 1.0).to(source.dtype)


def gaussian(shape: Shape, source: NoiseSource) -> Float[Tensor, "N R P"]:
    """Standard normal entries."""
    return source.normal(shape)


def orthogonal(shape: Shape, source: NoiseSource) -> Float[Tensor, "N R P"]:
    """Gaussian directions, each by itself, of which any P that follow one another from the first are orthogonal.

    The rows of a uniform rotation, with the lengths of independent Gaussian vectors. Choromanski et al. 2018.
    """
    number, replicates, entries = shape
    blocks = [min(entries, number - first) for first in range(0, number, entries)]
    lengths = source.normal(shape).norm(dim=-1, keepdim=True)
    rows = [_rotation((replicates, entries), count, source) for count in blocks]
    return torch.cat(rows, 1).movedim(1, 0) * lengths


def _rotation(shape: tuple[int, int], count: int, source: NoiseSource) -> Float[Tensor, "R count P"]:
    """The first rows of a uniform rotation or reflection: QR, with the signs that make it uniform (Mezzadri 2007)."""
    columns = source.normal((shape[1], shape[0], count)).movedim(0, 1)
    q, r = torch.linalg.qr(columns)
    return (q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)).mT


DIRECTIONS: Mapping[str, Callable[[Shape, NoiseSource], Tensor]] = {
    "rademacher": rademacher,
    "gaussian": gaussian,
    "orthogonal": orthogonal,
}
"""By the names that estimators have as an option."""
