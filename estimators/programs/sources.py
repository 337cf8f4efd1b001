"""Sources of noise for several variables: what one takes is placed together with what the others take."""

import math
from typing import final

from torch import Tensor

from estimators.noise import IID, NoiseSource

__all__ = ["Counting", "Together"]


@final
class Counting(NoiseSource):
    """Independent noise of one sample, which counts the uniforms that another source would be asked for."""

    def __init__(self, source: IID):
        self.source, self.device, self.dtype, self.counted = source, source.device, source.dtype, 0

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        self.counted += math.prod(shape[1:])
        return self.source.uniform(shape)

    def stream(self, purpose: str) -> NoiseSource:
        return self.source.stream(purpose)


@final
class Together(NoiseSource):
    """The dimensions of all variables from one draw `[S, *B, D]` of a structured source, in turn.

    Those of a variable are asked for as `[S, *B, *E]`, or in other axes where its noise depends on the others.
    """

    def __init__(self, source: NoiseSource, shape: tuple[int, ...]):
        self.source, self.device, self.dtype = source, source.device, source.dtype
        self.left: Tensor = source.uniform(shape)

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        wanted = math.prod(shape) // self.left.shape[:-1].numel()
        taken, self.left = self.left.split([wanted, self.left.shape[-1] - wanted], -1)
        return taken.reshape(shape)

    def stream(self, purpose: str) -> NoiseSource:
        return self.source.stream(purpose)
