"""One run of a program, for one sample: which variables it asks for, in turn, and which costs it pays."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, final

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.utils._pytree import tree_leaves

from estimators.programs.faults import ProgramError
from estimators.sampling.families import Drawn

__all__ = ["Choose", "Reached", "Trace", "Visit", "follow"]

Choose = Callable[[int, Distribution], Drawn]
"""The value of the variable of an index, given its distribution; `Reached` ends the run there."""


class Reached(Exception):
    """The run has come as far as is wanted."""


@final
@dataclass(frozen=True)
class Visit:
    """A variable of one run."""

    name: str
    q: Distribution
    """Its distribution given the variables before it: no batch, and the event that its value has."""
    drawn: Drawn | None
    """Its value; None: the run ended here."""
    state: Any = ()
    """What the program says of its state before the variable: tensors and numbers."""

    def log_density(self) -> Tensor:
        """log q of the value, with its derivative at the fixed value, but for terms without parameters."""
        assert self.drawn is not None
        return self.drawn.log_prob(self.q)

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
    """How many variables had been asked for when each cost was known."""


def follow(run: Callable[[Any, Any], Any], params: Any, choose: Choose, like: Tensor) -> Trace:
    """Run a program with given parameters and choices, in the dtype and on the device of a tensor.

    ProgramError: the program asks for a variable twice, or its cost is no scalar, or there is none.
    """
    trace = Trace()

    def sample(name: Any, q: Any = None, *, state: Any = ()) -> Any:
        if not isinstance(name, str):
            raise ProgramError('a variable has a name: write sample("x", Normal(…))')
        if any(visit.name == name for visit in trace.visits):
            raise ProgramError(f'the variable "{name}" is asked for twice: give each its own name, like f"{name}{{t}}"')
        if not isinstance(q, Distribution):
            raise ProgramError(f'sample("{name}", …) needs a torch distribution, not {type(q).__name__}')
        if (wrong := _no_number(state)) is not None:
            raise ProgramError(f'the state before "{name}" is made of tensors and numbers, not of a {wrong}')
        q = Independent(q, len(q.batch_shape)) if q.batch_shape else q
        try:
            drawn = choose(len(trace.visits), q)
        except Reached:
            trace.visits.append(Visit(name, q, None, state))
            raise
        trace.visits.append(Visit(name, q, drawn, state))
        return drawn.x

    try:
        for cost in _each(run(params, sample)):
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


def _pay(cost: Any, trace: Trace, like: Tensor) -> None:
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
    trace.before.append(len(trace.visits))


def _refuse_no_cost() -> NoReturn:
    raise ProgramError("the program has no cost: return one number, or yield each as soon as it is known")
