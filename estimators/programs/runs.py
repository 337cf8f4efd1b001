"""Runs of a program for samples and replicates: one call, mapped over both, or one call for each."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.utils._pytree import tree_map

from estimators.interface.params import Params
from estimators.programs.faults import told
from estimators.programs.visits import Reached, Trace, follow
from estimators.sampling.families import Drawn, find, forms, unwrap
from estimators.sampling.transforms import Transform

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
    run: Callable[[Any, Any], Any],
    params: Params,
    choices: Sequence[Choice],
    own: Sequence[Own],
    collect: Collect,
    mapped: bool,
) -> Any:
    """What is collected of the runs, each tensor `[S, R, *shape]`.

    `own` has tensors `[S, R, *]` for each choice; a program with more variables ends at the one without a choice.
    ProgramError: the program cannot be run like this, and what to write instead.
    """
    some = next(iter(params.values()))

    def one(at: Params, own: Any) -> Any:  # what dynamo reads here has to be plain
        def choose(index: int, q: Distribution) -> Drawn:
            if index == len(choices):
                raise Reached
            return choices[index](q, *own[index])

        return collect(follow(run, at, choose, next(iter(at.values()))))

    # Of the first variable alone there are no samples: it is mapped over the replicates, as one sample of each.
    have = [tuple(parts) for parts in own] or [(some.new_zeros(1, len(some)),)]
    try:
        return (_mapped if mapped else _one_by_one)(one, params, have)
    except Exception as error:
        if (found := told(error, run, params)) is None:
            raise
        raise found from error


def _mapped(one: Callable[..., Any], params: Params, own: list[Own]) -> Any:
    """Without an axis of one sample, or of one replicate, which would only take time."""
    num_samples, replicates = own[0][0].shape[:2]
    call = one
    if num_samples == 1:
        own = tree_map(lambda tensor: tensor.squeeze(0), own)
    else:
        call = torch.func.vmap(call, in_dims=(None, 0))
    replicate_axis = int(num_samples > 1)
    if replicates == 1:
        params = {name: value.squeeze(0) for name, value in params.items()}
        own = tree_map(lambda tensor: tensor.squeeze(replicate_axis), own)
    else:
        # Replicates come out in front: in another place vmap cannot put an axis that an output does not have.
        call = torch.func.vmap(call, in_dims=(0, replicate_axis))
    found = call(params, own)
    if replicates == 1:
        found = tree_map(lambda value: value.unsqueeze(0), found)
    return tree_map(lambda value: value.unsqueeze(0) if num_samples == 1 else value.transpose(0, 1), found)


def _one_by_one(one: Callable[..., Any], params: Params, own: list[Own]) -> Any:
    num_samples, replicates = own[0][0].shape[:2]
    columns = []
    for r in range(replicates):
        at = {name: value[r] for name, value in params.items()}
        column = [one(at, tree_map(lambda tensor: tensor[s, r], own)) for s in range(num_samples)]  # noqa: B023
        columns.append(tree_map(lambda *values: torch.stack(values), *column))
    return tree_map(lambda *values: torch.stack(values, 1), *columns)
