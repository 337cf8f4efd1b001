"""Noise of many replicates on a CPU, drawn 1.2 to 3 times as fast as torch draws it."""

import math
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from estimators.noise import IID, open_interval
from estimators.noise.source import Shape

__all__ = ["Bulk", "Law", "finished", "iid"]

Law = Literal["uniform", "normal"]

LARGE = 2**14
"""Draws of this many numbers or more are faster than torch's."""
BLOCK = 2**13
"""Normals that are made together."""


class Bulk(IID):
    """iid noise whose large draws use the words of SFC64 (numpy), transformed by torch's vectorised functions.

    torch fills a tensor by the Mersenne twister one number at a time. Small draws are torch's own, as in a training
    step, and so are the laws that are not here.
    """

    @cached_property
    def words(self) -> np.random.SFC64:
        return np.random.SFC64(self.seed)

    def uniform(self, shape: Shape) -> Tensor:
        return finished("uniform", self.raw("uniform", shape), shape)

    def normal(self, shape: Shape) -> Tensor:
        return finished("normal", self.raw("normal", shape), shape)

    def raw(self, law: Law, shape: Shape) -> Tensor:
        """The first half of a draw, for `finished`: words of 32 bits where that is fastest, else the draw itself."""
        size = math.prod(shape)
        if size < LARGE:
            return super().uniform(shape) if law == "uniform" else super().normal(shape)
        if self.dtype == torch.float64:
            generator = np.random.Generator(self.words)
            if law == "normal":
                return torch.from_numpy(generator.standard_normal(shape))
            return open_interval(torch.from_numpy(generator.random(shape)))
        if law == "normal":
            size = -(-size // BLOCK) * BLOCK
        return torch.from_numpy(self.words.random_raw(-(-size // 2)).view(np.int32))[:size]

    def standard_gamma(self, concentration: Tensor, num_samples: int) -> Tensor:
        """Gamma variates drawn by numpy in float64; small draws, and invalid concentrations, are left to torch."""
        shape = (num_samples, *concentration.shape)
        if math.prod(shape) < LARGE or not ((concentration > 0) & concentration.isfinite()).all():
            return super().standard_gamma(concentration, num_samples)
        drawn = np.random.Generator(self.words).standard_gamma(concentration.detach().double().numpy(), shape)
        return torch.from_numpy(drawn).to(concentration.dtype).clamp_(min=torch.finfo(concentration.dtype).tiny)


def finished(law: Law, raw: Tensor, shape: Shape) -> Tensor:
    """A draw from what it is made of: integers (32 bits, signed), or itself. A pure function, which compiles."""
    if raw.dtype != torch.int32:
        return raw
    size, numbers = math.prod(shape), raw.to(torch.float32)
    if law == "uniform":
        return open_interval(numbers.mul_(2**-32).add_(0.5)).view(shape)
    # Box & Muller (1958), block by block, so that a shorter draw is the beginning of a longer one.
    first, second = numbers.view(-1, 2, BLOCK // 2).unbind(1)
    # The 0.5 keeps every radius finite, and the tail reaches 6.7 standard deviations.
    radius = first.abs().add_(0.5).mul_(2**-31).log_().mul_(-2).sqrt_()
    angle = second * (math.pi * 2**-31)
    return torch.stack([angle.cos().mul_(radius), angle.sin_().mul_(radius)], 1).view(-1)[:size].view(shape)


def iid(seed: int, device: torch.device, dtype: torch.dtype) -> IID:
    """The fastest source of iid noise there."""
    return (Bulk if device.type == "cpu" else IID)(seed, device, dtype)
