"""Whether compiled gradients are the eager ones."""

from collections.abc import Callable

import torch
from torch import Tensor

from estimators.interface import Params

__all__ = ["check_agreement"]

ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-9}
"""The part of its size by which rounding may move an entry in any case."""
MARGIN = 4.0
"""Compiled gradients may be at most this many times as far from float64 as the eager ones."""
MANY = 64
"""With this many replicates or more, every entry is compared on its own."""
FEW = 1_000
"""A single replicate with fewer entries than this is only checked for being finite."""


def check_agreement(found: Params, eager: Params, in_float64: Callable[[], Params]) -> None:
    """ArithmeticError: compiled gradients differ from the eager ones by more than rounding explains.

    torch 2.13 compiles expm1 and erf to formulas that have no correct digit near 0. For a single gradient with few
    entries it is not checked how far off they are: where costs cancel, rounding may be all that there is.
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
    """The sum of the magnitudes of each entry over the replicates; with few replicates, over all entries as well."""
    magnitudes = values.double().abs().where(where, 0.0)
    return magnitudes.sum(0) if len(values) >= MANY else magnitudes.sum()
