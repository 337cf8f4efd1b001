"""Gradients by torch.compile: how they are made, when that pays, and what happens where it fails."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch

from estimators.interface import Estimator, Noise, Params, Problem

__all__ = ["Compile", "Gradient", "compiled", "pays"]

Compile = bool | Literal["auto"]
Gradient = Callable[[Params, Noise], Params]

BREAK_EVEN = 2**31
"""Element-samples (replicates × samples × event size): a compiled gradient saves some 5 ns on each, and takes some 10 s
to compile."""
MODES = {"cuda": "reduce-overhead"}
"""CUDA graphs, where launching kernels may take longer than running them."""


def pays(elements: float) -> bool:
    """Whether compiling saves more than it costs, over so many element-samples.

    By a count and not by a clock, since a compiled gradient differs in the last bits: same seed, same numbers.
    """
    return elements > BREAK_EVEN


def compiled(problem: Problem, estimator: Estimator, eager: Gradient, device: torch.device) -> Gradient:
    """The compiled gradient; a warning and the eager one from the first failure on.

    It compiles when it is first called, anew for each shape; torch keeps on disk what it compiled, for other cells of
    the same estimator, problem and shapes.
    """
    torch._dynamo.reset()  # a recompile limit reached by other cells would fall back to eager in silence
    traced = partial(estimator.gradient, problem)
    # A part that runs eagerly inside a compiled gradient makes it slower than either, and is an error here.
    whole = torch.compile(traced, fullgraph=True, dynamic=False, mode=MODES.get(device.type))
    current: list[Callable[..., Params]] = [whole]

    def gradient(params: Params, noise: Noise) -> Params:
        try:
            return current[0](params, noise)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            if current[0] is eager:
                raise
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            warnings.warn(f"{estimator.spec} could not be compiled and runs eagerly: {reason}", stacklevel=2)
            current[0] = eager
            return eager(params, noise)

    return gradient
