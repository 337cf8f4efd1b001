"""Runs of a program for samples and replicates: one call, mapped over both, or one call for each."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.utils._pytree import tree_map

from estimators.interface.params import Params
from estimators.programs.faults import cannot_be_checked, told
from estimators.programs.visits import Reached, Trace, follow
from estimators.sampling.families import Drawn, find, forms, unwrap
from estimators.sampling.transforms import Transform
from estimators.sampling.unchecked import without_validation

__all__ = ["Choice", "Collect", "Own", "along_path", "fixed", "form_of", "given", "runs"]

Own = tuple[Tensor, ...]
"""What runs have for one variable: noise, or a value and what it is made of."""
Choice = Callable[..., Drawn]
"""The value of a variable, from its distribution and what the run has for it."""
Collect = Callable[[Trace], Any]
"""What is wanted of each run: tensors, in any structure."""


def form_of(q: Distribution) -> Transform:
    """How a program samples q: by the first form that is differentiable, or else by the default."""
    return next((form for form in forms(q).values() if form.differentiable and not form.seeded), find(q))


def given(q: Distribution, value: Tensor, *made_of: Tensor) -> Drawn:
    """The value that the run has for the variable."""
    return Drawn((value, *made_of), form_of(q) if made_of else None)


def fixed(q: Distribution, noise: Tensor) -> Drawn:
    """The value that the noise stands for, detached."""
    form = form_of(q)
    return Drawn(tuple(part.squeeze(0) for part in form.drawn(unwrap(q), noise.unsqueeze(0))), form)


def along_path(q: Distribution, noise: Tensor) -> Drawn:
    """The value that the noise stands for, as a function of the parameters of q."""
    return Drawn((form_of(q).sample(unwrap(q), noise.unsqueeze(0)).squeeze(0),))


def runs(
    run: Callable[..., Any],
    params: Params,
    choices: Sequence[Choice],
    own: Sequence[Own],
    collect: Collect,
    mapped: bool,
    data: Tensor | None = None,
) -> Any:
    """What is collected of the runs, each tensor `[S, R, *shape]`; with data points `[S, R, N, *shape]`.

    `own` has tensors `[S, R, *]` or `[S, R, N, *]` for each choice; a program with more variables ends at the one
    without a choice. The data are `[N, X]`, or `[R, N, X]` where each replicate has its own; those of one, `[1, N, X]`,
    are also those of moved copies of it.
    ProgramError: the program cannot be run like this, and what to write instead.
    """
    some = next(iter(params.values()))
    data = data.squeeze(0) if data is not None and data.ndim > 2 else data
    points = () if data is None else (data.shape[-2],)

    def one(at: Params, own: Any, point: Any) -> Any:  # what dynamo reads here has to be plain
        def choose(index: int, q: Distribution) -> Drawn:
            if index == len(choices):
                raise Reached
            return choices[index](q, *own[index])

        known = tuple(x for x in point if x.numel())  # without data there is one point, which has no numbers
        return collect(follow(run, at, choose, next(iter(at.values())), known))

    # Of the first variable alone there are no samples: it is mapped over the replicates, as one sample of each.
    have = [tuple(parts) for parts in own] or [(some.new_zeros(1, len(some), *points),)]
    try:
        return (_checked if mapped else _one_by_one)(one, params, have, data)
    except Exception as error:
        if (found := told(error, run, params)) is None:
            raise
        raise found from error


def _checked(one: Callable[..., Any], params: Params, own: list[Own], data: Tensor | None) -> Any:
    """Mapped, without the checks of torch where these cannot be mapped."""
    try:
        return _mapped(one, params, own, data)
    except Exception as error:
        if not cannot_be_checked(error):
            raise
    with without_validation():
        return _mapped(one, params, own, data)


def _mapped(one: Callable[..., Any], params: Params, own: list[Own], data: Tensor | None) -> Any:
    """Over samples, data points and replicates, from the inside out: what depends on fewer is computed once for all.

    In this order in memory, vmap makes of products with the same matrix one product; in another, it copies the matrix.
    In other places than in front it cannot put an axis that an output does not have.
    """
    num_samples, replicates = own[0][0].shape[:2]
    samples = 1 if data is None else 2
    own = tree_map(lambda value: value.movedim(0, samples).contiguous(), own)
    call = _over(num_samples, one, (None, 0, None))
    if data is None:
        found = _over(replicates, call, (0, 0, None))(params, own, ())
    else:
        call = _over(data.shape[-2], call, (None, 0, 0))
        found = _over(replicates, call, (0, 0, 0 if data.ndim > 2 else None))(params, own, (data,))
    return tree_map(lambda value: value.movedim(samples, 0), found)


def _over(size: int, call: Callable[..., Any], axes: tuple[int | None, ...]) -> Callable[..., Any]:
    """A call mapped over one axis of its arguments, in front of what it returns; an axis of one only takes time."""
    if size > 1:
        return torch.func.vmap(call, in_dims=axes)

    def alone(*arguments: Any) -> Any:
        parts = [
            part if axis is None else tree_map(lambda value: value.squeeze(axis), part)  # noqa: B023
            for part, axis in zip(arguments, axes, strict=True)
        ]
        return tree_map(lambda value: value.unsqueeze(0), call(*parts))

    return alone


def _one_by_one(one: Callable[..., Any], params: Params, own: list[Own], data: Tensor | None) -> Any:
    num_samples, replicates = own[0][0].shape[:2]
    columns = []
    for r in range(replicates):
        at = {name: value[r] for name, value in params.items()}
        theirs = tree_map(lambda tensor: tensor[:, r], own)  # noqa: B023
        if data is None:
            columns.append(_each(num_samples, one, at, theirs, ()))
            continue
        points = data[r] if data.ndim > 2 else data
        rows = [
            _each(num_samples, one, at, tree_map(lambda tensor: tensor[:, n], theirs), (points[n],))  # noqa: B023
            for n in range(len(points))
        ]
        columns.append(tree_map(lambda *values: torch.stack(values, 1), *rows))
    return tree_map(lambda *values: torch.stack(values, 1), *columns)


def _each(num_samples: int, one: Callable[..., Any], at: Params, own: Any, point: Any) -> Any:
    """The samples of one replicate and data point."""
    found = [one(at, tree_map(lambda tensor: tensor[s], own), point) for s in range(num_samples)]  # noqa: B023
    return tree_map(lambda *values: torch.stack(values), *found)
