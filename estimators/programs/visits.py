"""One run of a program, for one sample: which variables it asks for, in turn, and which costs it pays."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NoReturn, final

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.utils._pytree import tree_leaves

from estimators.programs.apart import put_together, taken_apart
from estimators.programs.faults import ProgramError
from estimators.sampling.events import event_sum
from estimators.sampling.families import Drawn, log_prob
from estimators.sampling.unchecked import without_validation

__all__ = ["LATER", "Choose", "Early", "Penalty", "Reached", "Trace", "Visit", "follow"]

LATER = "later"
"""In place of a prior: minus its logarithm is yielded later."""

Choose = Callable[[int, Distribution], Drawn]
"""The value of the variable of an index, given its distribution; `Reached` ends the run there."""


class Reached(Exception):
    """The run has come as far as is wanted."""


@final
@dataclass(frozen=True)
class Early:
    """A cost that depends on the first few variables alone, and is yielded later: `before` says so of it."""

    cost: Any
    variables: int


@final
@dataclass(frozen=True)
class Penalty:
    """A cost that holds a policy near to a reference: yield Penalty(β, log π(a) − log π₀(a)): their product.

    It is a cost like any other. That it is known as what it is lets `policy-gradient` put it into the loss instead.
    """

    beta: float
    """The price of a nat."""
    log_ratio: Tensor
    """log π(a) − log π₀(a) of what was drawn, with its derivative."""


@final
@dataclass(frozen=True)
class Visit:
    """A variable of one run."""

    name: str
    q: Distribution
    """Its distribution given the variables before it: no batch, and the event that its value has."""
    drawn: Drawn | None
    """Its value; None: the run ended here."""
    latent: bool = False
    """It has a prior, so that log q is among the costs."""
    state: Any = ()
    """What the program says of its state before the variable: tensors and numbers."""
    counts: Any = None
    """1, or 0 where it is masked: an answer had ended before. None: the program does not say."""

    def log_density(self) -> Tensor:
        """log q of the value, with its derivative at the fixed value; terms without parameters where it is a cost."""
        assert self.drawn is not None
        with _unchecked():
            return self.drawn.log_density(self.q) if self.latent else self.drawn.log_prob(self.q)

    def features(self, like: Tensor) -> Tensor:
        """The numbers that the state consists of, detached; none where the program says nothing of it."""
        parts = [torch.as_tensor(part).detach().to(like).reshape(-1) for part in tree_leaves(self.state)]
        return torch.cat([like.new_zeros(0), *parts])


@final
@dataclass(frozen=True)
class Trace:
    """What one run of a program came by."""

    visits: list[Visit] = field(default_factory=list)
    costs: list[Tensor] = field(default_factory=list)
    """Scalars."""
    before: list[int] = field(default_factory=list)
    """How many variables had been asked for when each cost was known: it depends on no others."""
    penalties: list[tuple[int, float]] = field(default_factory=list)
    """Which of the costs are penalties, and their β."""


def follow(run: Callable[..., Any], params: Any, choose: Choose, like: Tensor, point: tuple[Tensor, ...] = ()) -> Trace:
    """Run a program with given parameters and choices, in the dtype and on the device of a tensor, on a data point.

    ProgramError: the program asks for a variable twice, or its cost is no scalar, or there is none.
    """
    trace = Trace()

    def sample(name: Any, q: Any = None, prior: Any = None, *, state: Any = (), counts: Any = None) -> Any:
        if not isinstance(name, str):
            raise ProgramError('a variable has a name: write sample("x", Normal(…))')
        if any(visit.name == name for visit in trace.visits):
            raise ProgramError(f'the variable "{name}" is asked for twice: give each its own name, like f"{name}{{t}}"')
        if not isinstance(q, Distribution):
            raise ProgramError(f'sample("{name}", …) needs a torch distribution, not {type(q).__name__}')
        if not (prior is None or prior == LATER or isinstance(prior, Distribution)):
            raise ProgramError(f'the prior of "{name}" is a torch distribution, or "{LATER}", not {prior!r}')
        if (wrong := _no_number(state)) is not None:
            raise ProgramError(f'the state before "{name}" is made of tensors and numbers, not of a {wrong}')
        if not isinstance(counts, Tensor | int | float | None) or (isinstance(counts, Tensor) and counts.ndim):
            raise ProgramError(f'whether "{name}" counts is one number: 1, or 0 where it is masked')
        q = Independent(q, len(q.batch_shape)) if q.batch_shape else q
        try:
            drawn = choose(len(trace.visits), q)
        except Reached:
            trace.visits.append(Visit(name, q, None, state=state))
            raise
        trace.visits.append(Visit(name, q, drawn, prior is not None, state, counts))
        if isinstance(prior, Distribution):
            _pay(-_log_prior(name, _moved_to(prior, like), drawn.x), trace, like)
        return drawn.x

    try:
        for cost in _each(run(params, sample, *point)):
            _pay(cost, trace, like)
    except Reached:
        return trace
    if not trace.costs:
        _refuse_no_cost()
    return trace


def _no_number(state: Any) -> str | None:
    """The type of what is neither a tensor nor a number in a state."""
    return next(
        (type(part).__name__ for part in tree_leaves(state) if not isinstance(part, Tensor | int | float)), None
    )


def _each(result: Any) -> Iterator[Any]:
    """The costs that are yielded as they become known, and the one that is returned."""
    if inspect.isgenerator(result):
        result = yield from result
        if result is None:
            return
    yield result


def _moved_to(prior: Distribution, like: Tensor) -> Distribution:
    """A prior of plain numbers is in the default dtype of torch, and on the CPU; none checks its arguments."""
    tensors = taken_apart(prior)
    moved = [tensor.to(like) if tensor.is_floating_point() else tensor.to(like.device) for tensor in tensors]
    there = all(one is other for one, other in zip(tensors, moved, strict=True))
    return prior if there and not prior._validate_args else put_together(prior, moved, 0)


def _unchecked() -> AbstractContextManager[None]:
    """A density is asked for at relaxed values too, and at those that have rounded to an edge."""
    return nullcontext() if torch.compiler.is_compiling() else without_validation()


def _log_prior(name: str, prior: Distribution, x: Tensor) -> Tensor:
    with _unchecked():
        each = log_prob(prior, x)
    if each.shape != x.shape[: x.ndim - len(prior.event_shape)]:
        there, here = list(prior.batch_shape + prior.event_shape), list(x.shape)
        raise ProgramError(f'the prior of "{name}" is one of values {there}, and its value is {here}')
    return event_sum(each, 0)


def _pay(cost: Any, trace: Trace, like: Tensor) -> None:
    variables = len(trace.visits)
    if isinstance(cost, Early):
        cost, variables = cost.cost, cost.variables
    if isinstance(cost, Penalty):
        if not variables:
            raise ProgramError("a Penalty is that of a variable: yield it after the first one")
        trace.penalties.append((len(trace.costs), float(cost.beta)))
        cost = cost.beta * cost.log_ratio
    if cost is None:
        _refuse_no_cost()
    try:
        paid = cost.to(like) if isinstance(cost, Tensor) else torch.as_tensor(cost).to(like)
    except (TypeError, ValueError, RuntimeError):
        raise ProgramError(f"a cost is one number, not a {type(cost).__name__}") from None
    if paid.ndim:
        raise ProgramError(
            f"a cost is one number, for one sample, not a tensor {list(paid.shape)}: reduce it, as by .sum()"
        )
    trace.costs.append(paid)
    trace.before.append(variables)


def _refuse_no_cost() -> NoReturn:
    raise ProgramError("the program has no cost: return one number, or yield each as soon as it is known")
