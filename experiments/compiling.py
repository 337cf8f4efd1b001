"""Gradients by torch.compile: how they are made, when that pays, and what happens where it fails."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem
from experiments.double import gradient_in_float64

__all__ = ["Compile", "Gradient", "compiled", "pays"]

Compile = bool | Literal["auto"]
Gradient = Callable[[Params, Noise], Params]

BREAK_EVEN = 2**31
"""Element-samples (replicates × samples × event size): a compiled gradient saves some 5 ns on each, and takes some 10 s
to compile."""
ROUNDING, MARGIN = {torch.float32: 1e-5, torch.float64: 1e-9}, 4.0
"""By how much of its size rounding may move an entry in any case, and by how many times what it moves the eager one."""
MANY, FEW = 64, 1_000
"""Replicates from which each entry is judged by itself, and entries below which one replicate is not."""
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
    the same estimator, problem and shapes. The first gradients of a shape are compared with the eager ones.
    """

    def traced(params: Params, noise: Noise) -> Params:
        return estimator.gradient(problem, params, noise)

    # A code object of its own: for each one torch keeps what it compiled, and limits how much.
    traced.__code__ = traced.__code__.replace()
    # A part that runs eagerly inside a compiled gradient makes it slower than either, and is an error here.
    whole = torch.compile(traced, fullgraph=True, dynamic=False, mode=MODES.get(device.type))
    seen: set[int] = set()
    failed = False

    def gradient(params: Params, noise: Noise) -> Params:
        nonlocal failed
        if failed:
            return eager(params, noise)
        try:
            found = whole(params, noise)
            replicates = len(next(iter(params.values())))
            if replicates not in seen:
                _check(found, eager(params, noise), partial(gradient_in_float64, problem, estimator, params, noise))
                seen.add(replicates)
            return found
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            warnings.warn(f"{estimator.spec} could not be compiled and runs eagerly: {reason}", stacklevel=2)
            failed = True
            return eager(params, noise)

    return gradient


def _check(found: Params, eager: Params, in_float64: Callable[[], Params]) -> None:
    """ArithmeticError: compiled gradients differ from the eager ones by more than rounding explains.

    torch 2.13 compiles expm1 and erf to formulas that have no correct digit near 0. Of a few entries of one gradient it
    is not asked how far off they are: where costs cancel, rounding may be all that there is.
    """
    for name, expected in eager.items():
        same = (found[name] == expected) | (found[name].isnan() & expected.isnan())
        finite = found[name].isfinite() & expected.isfinite()
        if not (same | finite).all():
            raise ArithmeticError(f"compiled, the gradient of {name} is not finite where it is, or the reverse")
        if len(expected) == 1 and expected.numel() < FEW:
            continue
        allowed = ROUNDING[expected.dtype] * _sum(expected, finite)
        if (_sum(found[name] - expected, finite) > allowed).any():
            exact = in_float64()[name]
            off, own = (_sum(one - exact, finite) for one in (found[name], expected))
            if not (off <= MARGIN * own + allowed).all():
                share = float((off / _sum(expected, finite)).max())
                raise ArithmeticError(f"compiled, the gradient of {name} is off by {share:.1g} of its size")


def _sum(values: Tensor, where: Tensor) -> Tensor:
    """Of the magnitudes of each entry over the replicates; of few replicates over all entries."""
    magnitudes = values.double().abs().where(where, 0.0)
    return magnitudes.sum(0) if len(values) >= MANY else magnitudes.sum()
