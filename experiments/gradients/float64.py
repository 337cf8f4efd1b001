"""The same computation in float64."""

import copy
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map

from estimators.interface import Component, Estimator, Noise, Params, Problem
from experiments.gradients.agreement import moved_by_rounding

__all__ = ["double", "gradient_in_float64"]


def gradient_in_float64(
    problem: Problem, estimator: Estimator, params: Params, noise: Noise, number: int = 0
) -> Params:
    """The gradient at the same parameters and noise, which enter as they are held.

    With a number, at parameters that rounding has moved: `agreement.moved_by_rounding`.
    """
    at = moved_by_rounding(params, number) if number else double(params)
    return double(estimator).gradient(double(problem), at, double(noise))


def double(tree: Any) -> Any:
    """Everything floating-point in float64, also inside components."""
    return tree_map(_leaf, tree)


def _leaf(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return leaf.double() if leaf.is_floating_point() else leaf
    if not isinstance(leaf, Component):
        return leaf
    copied = copy.copy(leaf)
    for name, value in vars(leaf).items():
        object.__setattr__(copied, name, double(value))
    return copied
