"""All paths of a program whose variables are discrete."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from estimators.programs.variables import Layout, Variable
from estimators.sampling.families import unwrap
from estimators.sampling.family import states_of

__all__ = ["all_paths", "joined_paths"]

ENUMERATED = 2**20
"""The most paths that are summed over."""
NUMBERS = 2**24
"""The most numbers that all of them may hold together."""


def all_paths(layout: Layout, points: int = 1) -> list[Tensor] | None:
    """The values of each variable on all K paths, each `[K, *E]`; None: there are too many, or infinitely many.

    So many numbers are held for each number on a path.
    """
    bases: list[int] = []
    for variable in layout.variables:
        states = states_of(variable.q)
        if states is None:
            return None
        bases += [states.classes(unwrap(variable.q))] * _elements(variable)
    paths = math.prod(bases)
    if paths > ENUMERATED or paths * layout.size * points > NUMBERS:
        return None
    digits, left = [], torch.arange(paths)
    for base in bases:
        digits.append(left % base)
        left = left // base
    parts = torch.stack(digits, -1).split([_elements(variable) for variable in layout.variables], -1)
    return [_values(variable, index) for variable, index in zip(layout.variables, parts, strict=True)]


def joined_paths(layout: Layout, found: Sequence[Tensor], like: Tensor, batch: torch.Size) -> Tensor:
    """The values of each variable on K paths, each `[K, *E]`, as samples `[K, *B, *E]`."""
    axes = [1] * len(batch)
    values = [value.to(like.device).reshape(len(value), *axes, *value.shape[1:]) for value in found]
    if not layout.alone:
        values = layout.joined_values([(value,) for value in values], like)
    x = values[0].to(like.dtype) if values[0].is_floating_point() else values[0]
    return x.expand(-1, *batch, *x.shape[1 + len(batch) :])


def _elements(variable: Variable) -> int:
    """How many variables of finitely many states a value has."""
    return unwrap(variable.q).batch_shape.numel()


def _values(variable: Variable, index: Tensor) -> Tensor:
    inner, states = unwrap(variable.q), states_of(variable.q)
    assert states is not None
    return states.samples(inner, index.reshape(-1, *inner.batch_shape))
