"""Checks that estimators and numbers keep to the interface: their mistakes, in one line, before they are measured."""

import operator
from typing import SupportsIndex

import torch
from torch import Tensor

from estimators.interface import Estimator, Params, Problem, replicated
from estimators.noise import IID
from estimators.registry import defined_at

__all__ = ["REPLICATES", "check_estimator", "check_parameters", "check_shape", "check_size", "whole_number"]

REPLICATES = 2
FEW_SAMPLES = (4, 8)
MAX_ENTRIES = 2**22
"""The most entries of the parameters: the moments of the groups then take 4 GB."""
MAX_ELEMENTS = 2**26
"""The most samples × event size of one gradient: a tensor of them takes 256 MB in float32, and there are several."""


def check_parameters(problem: Problem) -> Params:
    """The initial parameters. ValueError: they are not named tensors."""
    found = problem.initial_params()
    if not (isinstance(found, dict) and all(isinstance(value, Tensor) for value in found.values())):
        where = defined_at(problem.initial_params)
        raise ValueError(f"initial_params of {problem.spec} must be a dict of tensors, not {found!r:.60}{where}")
    entries = sum(value.numel() for value in found.values())
    if found and not entries:
        raise ValueError(f"the parameters of {problem.spec} have no entries: there is nothing to estimate")
    if entries > MAX_ENTRIES:
        raise ValueError(f"{problem.spec} has {entries:,} parameters, more than {MAX_ENTRIES:,}: choose a smaller one")
    return found


def check_size(problem: Problem, num_samples: int) -> None:
    """ValueError: one gradient needs more samples than the memory holds."""
    elements = num_samples * problem.initial_distribution.event_shape.numel()
    if elements > MAX_ELEMENTS:
        raise ValueError(
            f"{num_samples:,} samples of {problem.spec} are {elements:,} numbers, more than the {MAX_ELEMENTS:,} of "
            "one gradient: choose fewer"
        )


def check_estimator(problem: Problem, estimator: Estimator, num_samples: int, point: Params, *, fitted: bool) -> None:
    """ValueError: the claim or the surrogate are not what the interface says.

    The surrogate is tried on few samples, unless the estimator was fitted to a number of them.
    """
    claim = estimator.claim(problem, num_samples)
    if claim not in ("unbiased", "biased"):
        where = defined_at(estimator.claim)
        raise ValueError(f"the claim of {estimator.spec} must be 'unbiased' or 'biased', not {claim!r}{where}")
    fewer = [] if fitted else [few for few in FEW_SAMPLES if few < num_samples]
    samples = next((few for few in fewer if estimator.refusal(problem, few) is None), num_samples)
    replicates = REPLICATES if samples != REPLICATES else REPLICATES + 1  # [S] is no [R]
    params = replicated(point, replicates)
    some = next(iter(point.values()))
    with torch.no_grad():
        noise = estimator.draw(problem, params, samples, IID(0, some.device, some.dtype))
    params = {name: value.requires_grad_() for name, value in params.items()}
    surrogate = estimator.surrogate(problem, params, noise)
    where = defined_at(estimator.surrogate)
    check_shape(f"the surrogate of {estimator.spec}", "[R]", surrogate, (replicates,), where)


def check_shape(what: str, wanted: str, value: Tensor, shape: tuple[int, ...], remark: str = "") -> None:
    """ValueError: `value` is no tensor of that shape, which `wanted` names; the remark follows."""
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} must be a tensor {wanted}, not {type(value).__name__}{remark}")
    if tuple(value.shape) != shape:
        raise ValueError(f"{what} must be {wanted} = {list(shape)}, not {list(value.shape)}{remark}")


def whole_number(what: str, value: SupportsIndex) -> int:
    """The number as an int, be it of numpy or torch. TypeError: it is not whole."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be a whole number, not {value!r}") from None
