"""Normals that never leave the kernel that draws them: what no gradient can beat, in Triton."""

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["sums"]

BLOCK = 1_024


@triton.jit
def _sum_of_normals(seed, numbers, into, block: tl.constexpr):
    row = tl.program_id(0)
    places = tl.arange(0, block)
    total = tl.zeros([block], dtype=tl.float32)
    for start in range(0, numbers, block):
        normals = tl.randn(seed, row * numbers + start + places)
        total += tl.where(start + places < numbers, normals, 0.0)
    tl.store(into + row, tl.sum(total, axis=0))


def sums(seed: int, replicates: int, numbers: int, device: torch.device) -> Tensor:
    """The sum of so many normals for each replicate, `[R]`: Philox (Salmon et al. 2011), Box and Muller, one pass."""
    found = torch.empty(replicates, device=device)
    _sum_of_normals[(replicates,)](seed, numbers, found, block=min(BLOCK, triton.next_power_of_2(numbers)))
    return found
