"""The variables of a program, found by running it, and how their values and noise lie side by side."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface.params import Params
from estimators.noise import IID
from estimators.programs.apart import can_be_put_together
from estimators.programs.faults import ProgramError, differing, explained
from estimators.programs.runs import Own, fixed, form_of
from estimators.programs.sources import Counting
from estimators.programs.visits import Trace, follow
from estimators.sampling.events import as_vectors
from estimators.sampling.families import Drawn, unwrap

__all__ = ["Layout", "Variable", "fixed_run", "found_variables"]

OTHERS = (
    'the variable "{}" is not asked for in every run, or not in the same turn: ask for all of them always, and mask '
    "the costs of those that do not count"
)
OTHER_COSTS = "the costs are not known at the same turn in every run: yield zeros where none is due"


@final
@dataclass(frozen=True)
class Variable:
    """A variable of a program, as it is in every run."""

    name: str
    q: Distribution
    """Its distribution in one run, in float64: what kind it is."""
    shapes: tuple[torch.Size, ...]
    """That of a value, and those of what it is made of: see `Drawn`."""
    noise_shape: torch.Size
    dimensions: int
    """Uniforms that its noise is made of, where it comes from a structured source."""
    dtype: torch.dtype
    latent: bool = False
    """It has a prior, so that log q is among the costs."""
    state_size: int = 0
    """Numbers that the state before it consists of, where the program says what that is."""
    counted: bool = False
    """The program says whether it counts."""

    @property
    def kind(self) -> str:
        """`continuous` or `discrete`."""
        try:
            return "discrete" if self.q.support.is_discrete else "continuous"  # pyright: ignore
        except (NotImplementedError, AttributeError):
            return "continuous" if form_of(self.q).differentiable else "discrete"


@final
@dataclass(frozen=True)
class Layout:
    """The variables of a program in the order in which it asks for them."""

    variables: tuple[Variable, ...]
    before: tuple[int, ...]
    """How many variables are asked for before each of the costs is known: log q of latent variables stands apart."""
    direct: bool = True
    """Whether a cost has a derivative in the parameters at fixed values."""
    alone: bool = False
    """Whether there is one variable, whose distributions in all runs are one distribution with a batch."""
    of_q: tuple[str, ...] = ()
    """Of a program whose variables are latent: the parameters that their distributions depend on."""
    penalties: tuple[tuple[int, float], ...] = ()
    """Which of the costs are a `Penalty`, with its β."""

    @property
    def size(self) -> int:
        """Numbers of a joint value."""
        return sum(math.prod(variable.shapes[0]) for variable in self.variables)

    @property
    def names(self) -> list[str]:
        return [variable.name for variable in self.variables]

    @property
    def latent(self) -> list[int]:
        """Which of the variables are latent."""
        return [index for index, variable in enumerate(self.variables) if variable.latent]

    @property
    def known_after(self) -> tuple[int, ...]:
        """How many variables are asked for before each of the costs that are `paid` is known."""
        return (*self.before, *(index + 1 for index in self.latent))

    def paid(self, trace: Trace) -> tuple[Tensor, ...]:
        """The costs of a whole run, and after them log q of the latent variables. ProgramError: see `check`."""
        self.check(trace)
        return (*trace.costs, *(trace.visits[index].log_density() for index in self.latent))

    def check(self, trace: Trace) -> None:
        """ProgramError: a run has not the same variables and costs. A compiler may lose a cost that is returned."""
        if [visit.name for visit in trace.visits] != self.names:
            raise ProgramError(OTHERS.format(differing(self.names, [visit.name for visit in trace.visits])))
        if tuple(trace.before) != self.before:
            raise ProgramError(OTHER_COSTS)

    def joined_values(self, own: Sequence[Own], like: Tensor) -> tuple[Tensor, ...]:
        """The values side by side, `[S, *B, D]`, and all that they are made of, `[S, *B, D']`, if there is anything."""
        extra = [part for parts in own for part in parts[1:]]
        axes = own[0][0].ndim - len(self.variables[0].shapes[0])
        values = _joined([parts[0] for parts in own], like, axes)
        return (values, _joined(extra, like, axes)) if extra else (values,)

    def values(self, x: Tensor, made_of: Tensor | None = None) -> list[Own]:
        """The value of each variable, with what it is made of if that is given."""
        parts = _parted(x, [variable.shapes[0] for variable in self.variables])
        whole = [not variable.dtype.is_floating_point for variable in self.variables]
        parts = [part.to(torch.long) if is_whole else part for part, is_whole in zip(parts, whole, strict=True)]
        if made_of is None:
            return [(part,) for part in parts]
        extra = iter(_parted(made_of, [shape for variable in self.variables for shape in variable.shapes[1:]]))
        return [(part, *(next(extra) for _ in v.shapes[1:])) for part, v in zip(parts, self.variables, strict=True)]

    def joined_noise(self, noise: Sequence[Tensor], like: Tensor) -> Tensor:
        """The noise of all variables side by side, `[S, *B, D]`."""
        return _joined(noise, like, noise[0].ndim - len(self.variables[0].noise_shape))

    def noise(self, together: Tensor) -> list[Own]:
        """The noise of each variable."""
        return [(part,) for part in _parted(together, [variable.noise_shape for variable in self.variables])]


def _joined(parts: Sequence[Tensor], like: Tensor, axes: int) -> Tensor:
    return torch.cat([as_vectors(part, axes).to(like.dtype) for part in parts], -1)


def _parted(together: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    parts = together.split([math.prod(shape) for shape in shapes], -1)
    return [part.reshape(*part.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True)]


Point = tuple[Tensor, ...]


def found_variables(
    run: Any, params: Params, differentiable: bool, point: Point = (), of_values: bool = True
) -> Layout:
    """The variables that a program asks for, given parameters `[1, *shape]`, at a data point.

    `differentiable`: derivatives can be taken through it; `of_values`: also those of costs in values.
    ProgramError: a run fails, or the variables are others in another run, or one has no sampler that takes noise.
    """
    try:
        return _found(run, params, differentiable, point, of_values)
    except Exception as error:
        raise explained(error, run, params, point) from error


def _found(run: Any, params: Params, differentiable: bool, point: Point, of_values: bool) -> Layout:
    first, second = (_looked_at(run, params, seed, point) for seed in (0, 1))
    if first.names != second.names:
        raise ProgramError(OTHERS.format(differing(first.names, second.names)))
    for one, other in zip(first.variables, second.variables, strict=True):
        if (one.shapes, type(one.q)) != (other.shapes, type(other.q)):
            raise ProgramError(f'the variable "{one.name}" has another shape or distribution in another run')
        if one.state_size != other.state_size:
            raise ProgramError(f'the state before "{one.name}" has another shape in another run')
    if first.before != second.before:
        raise ProgramError(OTHER_COSTS)
    if not first.variables:
        raise ProgramError("the program has no random variable: ask for one by sample(name, q)")
    if differentiable:
        with warnings.catch_warnings(action="ignore"):
            try:
                _try_derivatives(run, params, point, of_values)
            except RuntimeError as error:
                if "modified by an inplace operation" in str(error):
                    raise
    alone = len(first.variables) == 1 and can_be_put_together(first.variables[0].q)
    return replace(first, direct=_depends_on(run, params, point) if differentiable else True, alone=alone)


def _depends_on(run: Any, params: Params, point: Point) -> bool:
    """Whether a cost reaches the parameters by another way than through the values."""
    trace, _ = fixed_run(run, params, point)
    return any(visit.latent for visit in trace.visits) or any(cost.requires_grad for cost in trace.costs)


def _try_derivatives(run: Any, params: Params, point: Point, of_values: bool) -> None:
    """RuntimeError: the program writes into what a derivative in parameters and values needs."""

    values: list[Tensor] = []

    def choose(index: int, q: Distribution) -> Drawn:
        x = fixed(q, form_of(q).noise(unwrap(q), 1, IID(index, dtype=torch.float64))[0]).x.detach()
        values.append(x.clone().requires_grad_(of_values and x.is_floating_point()))
        return Drawn((values[-1],))

    with torch.enable_grad():
        leaves = {name: value[0].detach().requires_grad_() for name, value in params.items()}
        trace = follow(run, leaves, choose, next(iter(leaves.values())), point)
        terms = [*trace.costs, *(visit.log_density() for visit in trace.visits)]
        if connected := [term for term in terms if term.requires_grad]:
            wanted = [leaf for leaf in [*leaves.values(), *values] if leaf.requires_grad]
            torch.autograd.grad(connected, wanted, allow_unused=True)


def fixed_run(run: Any, params: Params, point: Point = ()) -> tuple[Trace, Params]:
    """A run whose values depend on no parameters, and the parameters `[*shape]` that its costs depend on."""

    def choose(index: int, q: Distribution) -> Drawn:
        return fixed(q, form_of(q).noise(unwrap(q), 1, IID(index, dtype=torch.float64))[0])

    with torch.enable_grad():
        leaves = {name: value[0].detach().requires_grad_() for name, value in params.items()}
        return follow(run, leaves, choose, next(iter(leaves.values())), point), leaves


def _looked_at(run: Any, params: Params, seed: int, point: Point) -> Layout:
    found: list[Variable] = []
    source = Counting(IID(seed, dtype=torch.float64))

    def choose(index: int, q: Distribution) -> Drawn:
        form, before = form_of(q), source.counted
        if form.seeded:
            kind = type(unwrap(q)).__name__
            raise ProgramError(
                f"{kind} has no sampler that takes noise, which a variable of a program needs: write it as a "
                "TransformedDistribution, or make its family known by @register_family"
            )
        noise = form.noise(unwrap(q), 1, source if form.structured else source.source)[0]
        drawn = fixed(q, noise)
        shapes = tuple(part.shape for part in drawn.parts)
        found.append(Variable("", q, shapes, noise.shape, source.counted - before, drawn.x.dtype))
        return drawn

    one = {name: value[0] for name, value in params.items()}
    some = next(iter(one.values()))
    with torch.no_grad():
        trace = follow(run, one, choose, some, point)
    both = zip(found, trace.visits, strict=True)
    named = [
        replace(v, name=at.name, latent=at.latent, state_size=at.features(some).numel(), counted=at.counts is not None)
        for v, at in both
    ]
    return Layout(tuple(named), tuple(trace.before), penalties=tuple(trace.penalties))
