"""Owen-scrambled Sobol' points for many replicates at once.

A nested uniform scramble flips every bit of a point at random, given the bits above it (Owen 1995). On the reversed
word "given the bits above" becomes "given the bits below", which is how carries and products of integers flow, so that
a short hash does it (Laine & Karras 2011; Burley 2020), here with the constants of Vegdahl (2021). The flips are then
functions of a seed of 32 bits, and not independent, as in Owen's scrambling.
"""

from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["MAX_DIMENSIONS", "scrambled_sobol"]

MAX_DIMENSIONS = 1000
BITS = 30  # the length of torch's direction numbers (Joe & Kuo 2008)


def scrambled_sobol(num_points: int, seeds: Tensor, dtype: torch.dtype) -> Tensor:
    """The first points of the Sobol' sequence, scrambled by int32 seeds `[R, D]`: uniforms `[S, R, D]`."""
    points = _reversed_points(num_points, seeds.shape[-1], seeds.device)
    scrambled = _reverse(_owen_hash(points[:, None], seeds))
    bits = 23 if dtype == torch.float32 else 32
    words = (scrambled >> (32 - bits)).to(torch.int64) & (2**bits - 1)
    return (words.to(dtype) + 0.5) / 2**bits


@lru_cache(maxsize=16)
def _reversed_points(num_points: int, dimensions: int, device: torch.device) -> Tensor:
    """The unscrambled points as words with their leading bit lowest, int32 `[S, D]`."""
    engine = torch.quasirandom.SobolEngine(dimensions)
    directions = _reverse(engine.sobolstate.to(torch.int32) << (32 - BITS))
    points = torch.zeros(num_points, dimensions, dtype=torch.int32)
    index = torch.arange(num_points)
    for bit in range(max(num_points - 1, 1).bit_length()):
        points ^= ((index >> bit) & 1).to(torch.int32)[:, None] * directions[:, bit]
    return points.to(device)


def _owen_hash(x: Tensor, seed: Tensor) -> Tensor:
    x = x ^ (x * 0x3D20ADEA)
    x = (x + seed) * ((seed >> 16) | 1)
    x = x ^ (x * 0x05526C56)
    return x ^ (x * 0x53A22864)


def _reverse(x: Tensor) -> Tensor:
    """The 32 bits of a word in reverse order."""
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF), (16, 0x0000FFFF)):
        x = ((x >> shift) & mask) | ((x & mask) << shift)
    return x
