"""A distribution as the tensors that it is made of, and those put back with an axis more in front.

Nothing is asked of a distribution but to keep what it is made of in its attributes, as all of torch's do.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from inspect import getattr_static
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Transform
from torch.distributions.utils import lazy_property

__all__ = ["put_together", "taken_apart"]


def taken_apart(q: Distribution) -> list[Tensor]:
    """The tensors that q is made of, each once, in a fixed order."""
    return list({id(tensor): tensor for tensor in _tensors(q)}.values())


def put_together(q: Distribution, tensors: Sequence[Tensor]) -> Distribution:
    """q made of other tensors, each `[B, *shape]` for one of `taken_apart`: a distribution with the batch `[B]`."""
    size = len(tensors[0]) if tensors else 1
    replaced = {id(old): new for old, new in zip(taken_apart(q), tensors, strict=True)}
    return _mapped(q, lambda tensor, rank: _behind_batch(replaced[id(tensor)], rank), size, 0)


def _behind_batch(tensor: Tensor, rank: int) -> Tensor:
    """`[B, *shape]` so that it broadcasts against `[B, *others]` of a rank: torch aligns shapes at their ends."""
    missing = rank - (tensor.ndim - 1)
    return tensor.reshape(len(tensor), *[1] * missing, *tensor.shape[1:]) if missing > 0 else tensor


def _attributes(value: Any) -> dict[str, Any]:
    """What it was made of, without what torch has worked out from that since, such as probabilities from logits."""
    own, lazy = vars(value), _lazy(type(value))
    if not any(name in own for name in lazy):
        return own
    given = {id(part) for name, part in own.items() if name not in lazy}
    return {name: part for name, part in own.items() if name not in lazy or id(part) in given}


@cache
def _lazy(kind: type) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if isinstance(getattr_static(kind, name, None), lazy_property))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Distribution | Transform):
        for part in _attributes(value).values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


Replace = Callable[[Tensor, int], Tensor]


def _mapped(value: Any, replace: Replace, size: int, rank: int) -> Any:
    """A copy with each tensor replaced, which broadcasts against a batch of the rank of what owns it."""
    if isinstance(value, Tensor):
        return replace(value, rank)
    if isinstance(value, torch.Size):
        return value
    if isinstance(value, Distribution):
        shape = value.batch_shape
        copied = _with(value, replace, size, len(shape))
        vars(copied)["_batch_shape"] = torch.Size([size, *shape])
        return copied
    if isinstance(value, Transform):
        return _with(value, replace, size, rank)
    if isinstance(value, list | tuple):
        return type(value)(_mapped(part, replace, size, rank) for part in value)
    return value


def _with(value: Any, replace: Replace, size: int, rank: int) -> Any:
    copied = copy.copy(value)
    vars(copied).clear()
    inner = rank + len(getattr(value, "event_shape", ()))
    for name, part in _attributes(value).items():
        moved = isinstance(part, Transform | list | tuple) and not isinstance(part, torch.Size)
        vars(copied)[name] = _mapped(part, replace, size, inner if moved else rank)
    return copied
