"""Checks that problems and estimators keep to the interface: their mistakes, in one line, before they are measured."""

import operator
from typing import SupportsIndex

import torch
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Estimator, Params, Problem, replicated
from estimators.noise import IID
from estimators.registry import defined_at, raised_at
from estimators.sampling import families

__all__ = [
    "check_estimator",
    "check_initial_point",
    "check_parameters",
    "check_problem",
    "check_shape",
    "check_size",
    "whole_number",
]

SAMPLES, REPLICATES = 3, 2
FEW_SAMPLES = (4, 8)
MAX_ENTRIES = 2**22
"""The most entries of the parameters: the moments of the groups then take 4 GB."""
MAX_ELEMENTS = 2**26
"""The most samples × event size of one gradient: a tensor of them takes 256 MB in float32, and there are several."""


def check_problem(problem: Problem, point: Params) -> None:
    """ValueError: the parameters, the distribution or the cost are not what the interface says."""
    spec = problem.spec
    if not point:
        raise ValueError(f"{spec} has no parameters: initial_params must name one tensor at least")
    params = replicated(point, REPLICATES)
    try:
        q = problem.distribution(params)
    except ValueError as error:
        reason = " ".join(str(error).split()) + raised_at(error)
        raise ValueError(f"the initial parameters of {spec} are refused by its distribution: {reason}") from None
    where = defined_at(problem.distribution)
    if not isinstance(q, Distribution):
        raise ValueError(f"the distribution of {spec} must be a torch Distribution, not {type(q).__name__}{where}")
    if tuple(q.batch_shape) != (REPLICATES,):
        raise ValueError(
            f"the distribution of {spec} has batch shape {tuple(q.batch_shape)} for {REPLICATES} replicates, not "
            f"({REPLICATES},); wrap it in Independent so that the dimensions of x are event dimensions{where}"
        )
    device, dtype = next(iter(point.values())).device, next(iter(point.values())).dtype
    x = families.values(q, families.noise(q, SAMPLES, IID(0, device, dtype)))
    with torch.no_grad():
        _check_cost(f"the cost of {spec}", problem.cost(x, params), x, dtype, defined_at(problem.cost))


def _check_cost(what: str, cost: Tensor, x: Tensor, dtype: torch.dtype, where: str) -> None:
    """ValueError: it is not one number for each sample, or its constants are of another dtype."""
    check_shape(what, "[S, R]", cost, (SAMPLES, REPLICATES), f"; {_one_number(x)}{where}")
    if cost.dtype != dtype:
        found, wanted = (str(kind).removeprefix("torch.") for kind in (cost.dtype, dtype))
        found = f"x of its distribution is {found}" if x.dtype == cost.dtype else f"it is {found}"
        raise ValueError(
            f"{what} must be {wanted} where the parameters are, and {found}: make its constants tensors among the "
            f"attributes of the problem, or write constant.to(x){where}"
        )


def _one_number(x: Tensor) -> str:
    """What to write for a cost of each sample."""
    event = tuple(x.shape[2:])
    if not event:
        return "x is [S, R], and each number in it a sample of its own: leave out sums and means"
    dims = "-1" if len(event) == 1 else str(tuple(range(-len(event), 0)))
    sample = "its last axis" if len(event) == 1 else f"its last {len(event)} axes together"
    return f"x is [S, R, {', '.join(map(str, event))}], and {sample} one sample: write .sum({dims}) over it"


def check_parameters(problem: Problem) -> Params:
    """The initial parameters. ValueError: they are not named tensors."""
    found = problem.initial_params()
    if not (isinstance(found, dict) and all(isinstance(value, Tensor) for value in found.values())):
        where = defined_at(problem.initial_params)
        raise ValueError(f"initial_params of {problem.spec} must be a dict of tensors, not {found!r:.60}{where}")
    entries = sum(value.numel() for value in found.values())
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


def check_initial_point(problem: Problem, dtype: torch.dtype = torch.float64) -> None:
    """ValueError: as for `check_problem`, at the initial parameters in float64, and in the dtype of a measurement."""
    point = {name: value.detach().cpu() for name, value in check_parameters(problem).items()}
    for kind in dict.fromkeys((torch.float64, dtype)):
        check_problem(problem.to("cpu", kind), {name: value.to(kind) for name, value in point.items()})


def check_estimator(problem: Problem, estimator: Estimator, num_samples: int, point: Params, *, fitted: bool) -> None:
    """ValueError: the claim or the surrogate are not what the interface says.

    The surrogate is tried on few samples, unless the estimator was fitted to a number of them.
    """
    claim = estimator.claim(problem, num_samples)
    if claim not in ("unbiased", "biased"):
        where = defined_at(estimator.claim)
        raise ValueError(f"the claim of {estimator.spec} must be 'unbiased' or 'biased', not {claim!r}{where}")
    fewer = [] if fitted else [few for few in FEW_SAMPLES if few < num_samples]
    samples = next((few for few in fewer if estimator.unsupported(problem, few) is None), num_samples)
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
