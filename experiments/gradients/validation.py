"""Checks that problems and estimators keep to the interface: their mistakes, in one line, before they are measured."""

import operator
from typing import Any, SupportsIndex

import torch
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Estimator, Params, Problem, constant_cost, replicated
from estimators.noise import IID
from estimators.sampling import families
from experiments.machine.errors import advised

__all__ = [
    "check_batch",
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
ROUNDED = 1e-3
"""How far costs of the same data may lie apart, relative to the largest: float32 rounds sums of many."""
HINTS = {
    False: "wrap it in Independent so that the dimensions of x are event dimensions",
    True: "data [R, B, …] there differ by replicate: a ReplicatedModule takes them by of_batches, not of_data",
}
"""What to do about a wrong batch shape; on a mini-batch."""
MAX_ENTRIES = 2**22
"""The most entries of the parameters: the moments of the groups then take 4 GB."""
MAX_ELEMENTS = 2**26
"""The most samples × event size of one gradient: a tensor of them takes 256 MB in float32, and there are several."""


def check_problem(problem: Problem, point: Params, where: str = "") -> None:
    """ValueError: parameters, distribution, cost or flags are not what the interface says, `where` they are."""
    spec = f"{problem.spec}{where}"
    if not point:
        raise ValueError(f"{spec} has no parameters: initial_params must name one tensor at least")
    params = replicated(point, REPLICATES)
    try:
        q = problem.distribution(params)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"the initial parameters of {spec} are refused by its distribution: {reason}") from None
    except RuntimeError as error:
        raise ValueError(f"the distribution of {spec} fails: {advised(error)}") from error
    if not isinstance(q, Distribution):
        raise ValueError(f"the distribution of {spec} must be a torch Distribution, not {type(q).__name__}")
    if tuple(q.batch_shape) != (REPLICATES,):
        raise ValueError(
            f"the distribution of {spec} has batch shape {tuple(q.batch_shape)} for {REPLICATES} replicates, not "
            f"({REPLICATES},); {HINTS[bool(where)]}"
        )
    if not q.event_shape.numel():
        raise ValueError(f"x of {spec} has no entries: its event shape is {tuple(q.event_shape)}")
    device, dtype = next(iter(point.values())).device, next(iter(point.values())).dtype
    x = families.values(q, families.noise(q, SAMPLES, IID(0, device, dtype)))
    _check_log_prob(spec, q, x, dtype)
    _check_cost(problem, x, params, spec)


def _check_log_prob(spec: str, q: Distribution, x: Tensor, dtype: torch.dtype) -> None:
    """ValueError: the log-density is no `[S, R]` in the dtype of the parameters."""
    try:
        with torch.no_grad():
            log_q = families.log_prob(q, x)
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return  # some estimators need none, and the others say what is wrong
    check_shape(f"log_prob of the distribution of {spec}", "[S, R]", log_q, (SAMPLES, REPLICATES))
    if log_q.dtype != dtype:
        raise ValueError(
            f"log_prob of the distribution of {spec} is {_named(log_q.dtype)} where the parameters are "
            f"{_named(dtype)}: bring its constants to their dtype"
        )


def _check_cost(problem: Problem, x: Tensor, params: Params, spec: str) -> None:
    """ValueError: it is no `[S, R]`, or has a derivative that its flags deny, or none where they promise one."""
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    at = x.detach().requires_grad_(x.is_floating_point())
    cost = _cost(problem, at.clone(), leaves, spec)  # which may be written to
    check_shape(f"the cost of {spec}", "[S, R]", cost, (SAMPLES, REPLICATES))
    if not cost.is_floating_point():
        raise ValueError(
            f"the cost of {spec} must be floating-point, not {_named(cost.dtype)}: end it with .to(x.dtype)"
        )
    wanted = {**leaves, "x": at} if at.requires_grad else leaves
    slopes = torch.autograd.grad(cost.sum(), list(wanted.values()), allow_unused=True) if cost.requires_grad else ()
    found = dict(zip(wanted, slopes, strict=False))
    moves = [name for name in leaves if (slope := found.get(name)) is not None and bool((slope != 0).any())]
    if moves and not problem.cost_depends_on_params:
        raise ValueError(
            f"the cost of {spec} has a derivative in {moves[0]} at fixed x: set cost_depends_on_params = True"
        )
    varies = bool((cost != cost[:1]).any())
    if problem.differentiable and at.requires_grad and varies and found.get("x") is None:
        raise ValueError(
            f"the cost of {spec} has no derivative in x that autograd could find: set differentiable = False, or keep "
            "x in the graph (torch.func.grad inside of a cost does)"
        )


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def check_batch(problem: Problem, point: Params, size: int) -> None:
    """ValueError: on a mini-batch of so many data points the problem is not what the interface says.

    Each replicate has data of its own there, and its distribution and cost have to be those of its own data alone.
    """
    size = min(size, problem.num_data)
    rows = torch.arange(REPLICATES).unsqueeze(1) + torch.arange(size)
    indices = (rows % problem.num_data).to(next(iter(point.values())).device)
    where = f" on a mini-batch of {size:,} data points"
    both, alone = problem.batch(indices), problem.batch(indices[-1:])
    check_problem(both, point, where)
    params, own = replicated(point, REPLICATES), replicated(point, 1)
    some = next(iter(point.values()))
    q = both.distribution(params)
    x = families.values(q, families.noise(q, SAMPLES, IID(0, some.device, some.dtype)))
    last = x[:, -1:]
    pairs = {
        "density": (families.log_prob(q, x), families.log_prob(alone.distribution(own), last)),
        "cost": (constant_cost(both, x, params), constant_cost(alone, last, own)),
    }
    for name, (together, apart) in pairs.items():
        if not torch.allclose(together[:, -1:], apart, rtol=ROUNDED, atol=ROUNDED * float(apart.abs().max())):
            raise ValueError(
                f"the {name} of {problem.spec}{where} depends on the data of other replicates: "
                f"row r of what `batch` is given belongs to replicate r alone; {HINTS[True]}"
            )


def _cost(problem: Problem, x: Tensor, params: Params, spec: str) -> Any:
    """What the problem gives as its cost, whatever that is; grad mode is on, for costs that differentiate inside."""
    try:
        with torch.enable_grad():
            return problem.cost(x, params)
    except RuntimeError as error:
        raise ValueError(f"the cost of {spec} fails on {x.dtype} samples {list(x.shape)}: {advised(error)}") from error


def check_parameters(problem: Problem) -> Params:
    """The initial parameters. ValueError: they are not named tensors."""
    found = problem.initial_params()
    if not (isinstance(found, dict) and all(isinstance(value, Tensor) for value in found.values())):
        raise ValueError(f"initial_params of {problem.spec} must be a dict of tensors, not {found!r:.60}")
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


def check_initial_point(problem: Problem) -> None:
    """ValueError: as for `check_problem`, at the initial parameters in float64."""
    point = {name: value.detach().cpu().double() for name, value in check_parameters(problem).items()}
    check_problem(problem.to("cpu", torch.float64), point)


def check_estimator(problem: Problem, estimator: Estimator, num_samples: int, point: Params, *, fitted: bool) -> None:
    """ValueError: the claim or the surrogate are not what the interface says.

    The surrogate is tried on few samples, unless the estimator was fitted to a number of them.
    """
    claim = estimator.claim(problem, num_samples)
    if claim not in ("unbiased", "biased"):
        raise ValueError(f"the claim of {estimator.spec} must be 'unbiased' or 'biased', not {claim!r}")
    fewer = [] if fitted else [few for few in FEW_SAMPLES if few < num_samples]
    samples = next((few for few in fewer if estimator.unsupported(problem, few) is None), num_samples)
    replicates = REPLICATES if samples != REPLICATES else REPLICATES + 1  # [S] is no [R]
    params = replicated(point, replicates)
    some = next(iter(point.values()))
    with torch.no_grad():
        noise = estimator.draw(problem, params, samples, IID(0, some.device, some.dtype))
    params = {name: value.requires_grad_() for name, value in params.items()}
    surrogate = estimator.surrogate(problem, params, noise)
    check_shape(f"the surrogate of {estimator.spec}", "[R]", surrogate, (replicates,))


def check_shape(what: str, wanted: str, value: Tensor, shape: tuple[int, ...]) -> None:
    """ValueError: `value` is no tensor of that shape, which `wanted` names."""
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} must be a tensor {wanted}, not {type(value).__name__}")
    if tuple(value.shape) != shape:
        raise ValueError(f"{what} must be {wanted} = {list(shape)}, not {list(value.shape)}")


def whole_number(what: str, value: SupportsIndex) -> int:
    """The number as an int, be it of numpy or torch. TypeError: it is not whole."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be a whole number, not {value!r}") from None
