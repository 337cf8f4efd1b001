"""Gradients by torch.compile: how they are made, when that pays, and what happens where it fails."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem
from experiments.double import double

__all__ = ["Compile", "Gradient", "compiled", "pays"]

Compile = bool | Literal["auto"]
Gradient = Callable[[Params, Noise], Params]

BREAK_EVEN = 2**31
"""Element-samples (replicates × samples × event size): a compiled gradient saves some 5 ns on each, and takes some 10 s
to compile."""
ROUNDING, MARGIN = 1e-5, 4.0
"""Of the size of a gradient, that rounding may move it in any case; and times what it moves the eager one."""
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
    torch._dynamo.reset()  # a recompile limit reached by other cells would fall back to eager in silence
    # A part that runs eagerly inside a compiled gradient makes it slower than either, and is an error here.
    whole = torch.compile(
        partial(estimator.gradient, problem), fullgraph=True, dynamic=False, mode=MODES.get(device.type)
    )
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
                _check(found, eager(params, noise), partial(_in_float64, problem, estimator, params, noise))
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

    torch 2.13 compiles expm1 and erf to formulas that have no correct digit near 0.
    """
    for name, expected in eager.items():
        finite = expected.isfinite()
        if not torch.equal(found[name].isfinite(), finite):
            raise ArithmeticError(f"compiled, the gradient of {name} is not finite where it is, or the reverse")
        size = float(expected[finite].abs().sum())
        if _distance(found[name], expected, finite) > ROUNDING * size:
            exact = in_float64()[name]
            off, own = (_distance(one, exact, finite) for one in (found[name], expected))
            if off > MARGIN * own + ROUNDING * size:
                raise ArithmeticError(f"compiled, the gradient of {name} is off by {off / size:.1g} of its size")


def _in_float64(problem: Problem, estimator: Estimator, params: Params, noise: Noise) -> Params:
    return double(estimator).gradient(double(problem), double(params), double(noise))


def _distance(one: Tensor, other: Tensor, where: Tensor) -> float:
    return float((one - other)[where].abs().sum())
