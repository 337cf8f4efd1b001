"""Checks that a problem keeps to the interface: its mistakes, in one line, with their place, before it is measured."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Params, Problem, check_ties, constant_cost, parts_met, replicated
from estimators.noise import IID
from estimators.programs import Program, ProgramError
from estimators.registry import defined_at, message, raised_at
from estimators.sampling import families
from experiments.gradients.validation import REPLICATES, check_parameters, check_shape

__all__ = ["check_batch", "check_initial_point", "check_problem", "usable_batch"]

SAMPLES = 3
ROUNDED = 1e-3
"""How far costs of the same data may lie apart, relative to the largest: float32 rounds sums of many."""
HINTS = {
    False: "wrap it in Independent so that the dimensions of x are event dimensions",
    True: "data [R, B, …] there differ by replicate: a ReplicatedModule takes them by of_batches, not of_data",
}
"""What to do about a wrong batch shape; on a mini-batch."""


def check_problem(problem: Problem, point: Params, circumstances: str = "") -> None:
    """ValueError: parameters, distribution, cost or flags are not what the interface says, in the circumstances."""
    with parts_met() as parts:
        _check_problem(problem, point, circumstances)
    check_ties(parts)


def _check_problem(problem: Problem, point: Params, circumstances: str) -> None:
    spec = f"{problem.spec}{circumstances}"
    if not point:
        raise ValueError(f"{spec} has no parameters: initial_params must name one tensor at least")
    params = replicated(point, REPLICATES)
    q = _distribution(problem, params, spec)
    where = defined_at(problem.distribution)
    if not isinstance(q, Distribution):
        raise ValueError(f"the distribution of {spec} must be a torch Distribution, not {type(q).__name__}{where}")
    if tuple(q.batch_shape) != (REPLICATES,):
        raise ValueError(
            f"the distribution of {spec} has batch shape {tuple(q.batch_shape)} for {REPLICATES} replicates, not "
            f"({REPLICATES},); {HINTS[bool(circumstances)]}{where}"
        )
    if not q.event_shape.numel():
        raise ValueError(f"x of {spec} has no entries: its event shape is {tuple(q.event_shape)}{where}")
    device, dtype = next(iter(point.values())).device, next(iter(point.values())).dtype
    x = families.values(q, families.noise(q, SAMPLES, IID(0, device, dtype)))
    _check_log_prob(spec, q, x, dtype, where)
    _check_cost(problem, x, params, spec)


def _distribution(problem: Problem, params: Params, spec: str) -> Any:
    try:
        return problem.distribution(params)
    except ProgramError:
        raise
    except ValueError as error:
        reason = " ".join(str(error).split()) + raised_at(error)
        raise ValueError(f"the initial parameters of {spec} are refused by its distribution: {reason}") from None
    except RuntimeError as error:
        raise ValueError(f"the distribution of {spec} fails: {message(error)}{raised_at(error)}") from error


def _check_log_prob(spec: str, q: Distribution, x: Tensor, dtype: torch.dtype, where: str) -> None:
    """ValueError: the log-density is no `[S, R]` in the dtype of the parameters."""
    try:
        with torch.no_grad():
            log_q = families.log_prob(q, x)
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return  # some estimators need none, and the others say what is wrong
    what = f"log_prob of the distribution of {spec}"
    check_shape(what, "[S, R]", log_q, (SAMPLES, REPLICATES), where)
    if log_q.dtype != dtype:
        raise ValueError(
            f"{what} is {_named(log_q.dtype)} where the parameters are {_named(dtype)}: bring its constants to their "
            f"dtype{where}"
        )


def _check_cost(problem: Problem, x: Tensor, params: Params, spec: str) -> None:
    """ValueError: it is no `[S, R]`, or of another dtype, or its derivatives are not what its flags say."""
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    at = x.detach().requires_grad_(x.is_floating_point())
    what, where = f"the cost of {spec}", defined_at(problem.cost)
    try:
        with torch.enable_grad():  # a cost may differentiate inside, and may write to x
            cost = problem.cost(at.clone(), leaves)
    except RuntimeError as error:
        raise ValueError(
            f"{what} fails on {_named(x.dtype)} samples {list(x.shape)}: {message(error)}{raised_at(error)}"
        ) from error
    check_shape(what, "[S, R]", cost, (SAMPLES, REPLICATES), f"; {_one_number(x)}{where}")
    _check_dtype(what, cost, x, next(iter(params.values())).dtype, where)
    wanted = {**leaves, "x": at} if at.requires_grad else leaves
    slopes = torch.autograd.grad(cost.sum(), list(wanted.values()), allow_unused=True) if cost.requires_grad else ()
    found = dict(zip(wanted, slopes, strict=False))
    moves = [name for name in leaves if (slope := found.get(name)) is not None and bool((slope != 0).any())]
    if moves and not problem.cost_depends_on_params:
        raise ValueError(f"{what} has a derivative in {moves[0]} at fixed x: set cost_depends_on_params = True{where}")
    varies = bool((cost != cost[:1]).any())
    if problem.differentiable and not _is_whole(problem, x) and varies and found.get("x") is None:
        raise ValueError(
            f"{what} has no derivative in x that autograd could find: set differentiable = False, or keep x in the "
            f"graph (torch.func.grad inside of a cost does){where}"
        )


def _is_whole(problem: Problem, x: Tensor) -> bool:
    """Whether x consists of integers, which have no derivative: that of a program holds them among other numbers."""
    dtypes = [variable.dtype for variable in problem.layout.variables] if isinstance(problem, Program) else [x.dtype]
    return not any(dtype.is_floating_point for dtype in dtypes)


def _check_dtype(what: str, cost: Tensor, x: Tensor, dtype: torch.dtype, where: str) -> None:
    if not cost.is_floating_point():
        raise ValueError(f"{what} must be floating-point, not {_named(cost.dtype)}: end it with .to(x.dtype){where}")
    if cost.dtype != dtype:
        found = "x of its distribution is" if x.dtype == cost.dtype else "it is"
        raise ValueError(
            f"{what} must be {_named(dtype)} where the parameters are, and {found} {_named(cost.dtype)}: make its "
            f"constants tensors among the attributes of the problem, or write constant.to(x){where}"
        )


def _one_number(x: Tensor) -> str:
    """What to write for a cost of each sample."""
    event = tuple(x.shape[2:])
    if not event:
        return "x is [S, R], and each number in it a sample of its own: leave out sums and means"
    dims = "-1" if len(event) == 1 else str(tuple(range(-len(event), 0)))
    sample = "its last axis" if len(event) == 1 else f"its last {len(event)} axes together"
    return f"x is [S, R, {', '.join(map(str, event))}], and {sample} one sample: write .sum({dims}) over it"


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def check_initial_point(problem: Problem, dtype: torch.dtype = torch.float64) -> None:
    """ValueError: as for `check_problem`, at the initial parameters in float64, and in the dtype of a measurement."""
    point = {name: value.detach().cpu() for name, value in check_parameters(problem).items()}
    for kind in dict.fromkeys((torch.float64, dtype)):
        check_problem(problem.to("cpu", kind), {name: value.to(kind) for name, value in point.items()})


def check_batch(problem: Problem, point: Params, size: int) -> None:
    """ValueError: on a mini-batch of so many data points the problem is not what the interface says.

    Each replicate has data of its own there, and its distribution and cost have to be those of its own data alone.
    """
    size = min(size, problem.num_data)
    rows = torch.arange(REPLICATES).unsqueeze(1) + torch.arange(size)
    indices = (rows % problem.num_data).to(next(iter(point.values())).device)
    circumstances = f" on a mini-batch of {size:,} data points"
    both, alone = problem.batch(indices), problem.batch(indices[-1:])
    check_problem(both, point, circumstances)
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
                f"the {name} of {problem.spec}{circumstances} depends on the data of other replicates: "
                f"row r of what `batch` is given belongs to replicate r alone; {HINTS[True]}"
            )


def usable_batch(problem: Problem, point: Params, size: int) -> int:
    """The size, at most all data, where mini-batches of it keep to the interface; 0 where not, or there are no data."""
    try:
        if problem.num_data:
            check_batch(problem, point, size)
    except ValueError:
        return 0
    return min(size, problem.num_data)
