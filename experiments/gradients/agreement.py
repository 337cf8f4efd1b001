"""Whether compiled gradients are the eager ones."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from estimators.interface import Params

__all__ = ["check_agreement", "moved_by_rounding"]

ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-9}
"""The part of its size by which rounding may move an entry in any case."""
MARGIN = 4.0
"""Compiled gradients may be at most this many times as far from float64 as the eager one, or moved ones."""
TRIES = 4
"""Gradients in float64 at moved parameters: among so many, the eager one is rarely the only one that is off."""
MANY = 64
"""With this many replicates or more, every entry is compared on its own."""
FEW = 1_000
"""A single replicate with fewer entries than this is only checked for being finite."""


def check_agreement(found: Params, eager: Params, in_float64: Callable[[int], Params]) -> None:
    """ArithmeticError: compiled gradients differ from the eager ones by more than rounding explains.

    `in_float64` gives the gradient in float64, and for 1, 2, … at parameters that rounding has moved
    (`moved_by_rounding`): the eager gradient may have been lucky in an entry. torch 2.13 compiles expm1 and erf to
    formulas that have no correct digit near 0. For a single gradient with few entries it is not checked how far off
    they are: where costs cancel, rounding may be all that there is.
    """
    exact: list[Params] = []
    for name, expected in eager.items():
        same = (found[name] == expected) | (found[name].isnan() & expected.isnan())
        finite = found[name].isfinite() & expected.isfinite()
        if not (same | finite).all():
            raise ArithmeticError(f"compiled, the gradient of {name} is not finite where it is, or the reverse")
        if len(expected) == 1 and expected.numel() < FEW:
            continue
        size, apart = _sum(expected, finite), _sum(found[name] - expected, finite)
        allowed = ROUNDING[expected.dtype] * size
        if (apart > allowed).any():
            exact = exact or [in_float64(number) for number in range(1 + TRIES)]
            right, *moved = (one[name] for one in exact)
            others = torch.stack([_sum(one - right, finite) for one in (expected, *moved)])
            if not (_sum(found[name] - right, finite) <= MARGIN * others.amax(0) + allowed).all():
                share = float((apart / size).nan_to_num(0.0, math.inf).max())
                raise ArithmeticError(f"compiled, the gradient of {name} is off by {share:.1g} of its size")


def moved_by_rounding(params: Params, number: int) -> Params:
    """Parameters, all replicates of each alike, off by as much as rounding to their dtype moves a number at the most.

    What their gradient is in float64 tells what the rounding of intermediate results does, too: a sum with rounding
    errors is the sum of terms that are off by few of these.
    """
    generator = torch.Generator().manual_seed(number)
    return {name: value * _factors(value, generator) for name, value in params.items()}


def _factors(value: Tensor, generator: torch.Generator) -> Tensor:
    moves = torch.randn(value[:1].shape, generator=generator, dtype=torch.float64)
    return (1 + torch.finfo(value.dtype).eps * moves).to(value.device)


def _sum(values: Tensor, where: Tensor) -> Tensor:
    """The sum of the magnitudes of each entry over the replicates; with few replicates, over all entries as well."""
    magnitudes = values.double().abs().where(where, 0.0)
    return magnitudes.sum(0) if len(values) >= MANY else magnitudes.sum()
