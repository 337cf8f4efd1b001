"""A distribution as the tensors that it is made of, and those put back with an axis more in front.

Nothing is asked of a distribution but to keep what it is made of in its attributes, as all of torch's do.
"""

import copy
from collections.abc import Sequence
from functools import cache
from inspect import getattr_static
from typing import Any, final

import torch
from torch import Tensor
from torch.distributions import Distribution, Transform
from torch.distributions.utils import lazy_property

from estimators.noise import IID
from estimators.sampling import families

__all__ = ["can_be_put_together", "put_together", "taken_apart"]

_LAST_SEEN = "_cached_x_y"
BATCHES = (2, 3)
"""Sizes of the batches that are tried: what mistakes the axis for another does so with one of them at most."""
TRIED = 4
"""Samples of each."""


def taken_apart(q: Distribution) -> list[Tensor]:
    """The tensors that q is made of, each once, in a fixed order."""
    found: dict[int, Tensor] = {}
    _find(q, found, set())
    return list(found.values())


def put_together(q: Distribution, tensors: Sequence[Tensor], axes: int = 1) -> Distribution:
    """q made of other tensors, each `[*B, *shape]` for one of `taken_apart`: of the batch `*B`, which has so many axes.

    The batch is one of ones where q is made of no tensors.
    """
    batch = tensors[0].shape[:axes] if tensors else torch.Size([1] * axes)
    replaced = {id(old): new for old, new in zip(taken_apart(q), tensors, strict=True)}
    return _Copies(replaced, batch).of(q, 0)


def can_be_put_together(q: Distribution) -> bool:
    """Whether samples and densities of a batch of q are those of q alone: not of one that mistakes its axes."""
    return all(_agrees(q, size) for size in BATCHES)


def _agrees(q: Distribution, size: int) -> bool:
    try:
        together = put_together(q, [tensor.expand(size, *tensor.shape) for tensor in taken_apart(q)])
        x = families.values(together, families.noise(together, TRIED, IID(0, dtype=torch.float64)))
        alone = torch.stack([families.log_prob(q, x[:, r]) for r in range(size)], 1)
        return torch.allclose(families.log_prob(together, x), alone, equal_nan=True)
    except (RuntimeError, ValueError, IndexError):
        return False


def _find(value: Any, found: dict[int, Tensor], seen: set[int]) -> None:
    if isinstance(value, Tensor):
        found.setdefault(id(value), value)
    elif id(value) not in seen and isinstance(value, Distribution | Transform | list | tuple):
        seen.add(id(value))
        for part in value if isinstance(value, list | tuple) else _attributes(value).values():
            _find(part, found, seen)


def _attributes(value: Any) -> dict[str, Any]:
    """What it was made of, without what torch has worked out from that since, such as probabilities from logits.

    Nor is it made of the values that a transform with a cache has seen last.
    """
    own, lazy = vars(value) | ({_LAST_SEEN: (None, None)} if _LAST_SEEN in vars(value) else {}), _lazy(type(value))
    if not any(name in own for name in lazy):
        return own
    given = {id(part) for name, part in own.items() if name not in lazy}
    return {name: part for name, part in own.items() if name not in lazy or id(part) in given}


@cache
def _lazy(kind: type) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if isinstance(getattr_static(kind, name, None), lazy_property))


@final
class _Copies:
    """Copies of distributions and of what they are made of, with other tensors. Transforms may refer to each other."""

    def __init__(self, replaced: dict[int, Tensor], batch: torch.Size):
        self.replaced, self.batch = replaced, batch
        self.made: dict[tuple[int, int], Any] = {}

    def of(self, value: Any, rank: int) -> Any:
        """The copy, which broadcasts against a batch of the rank of what owns it."""
        if isinstance(value, Tensor):
            return _behind_batch(self.replaced[id(value)], len(self.batch), rank)
        if isinstance(value, Distribution):
            shape = value.batch_shape
            # Without argument checks: values may be relaxed ones, or have rounded to an edge.
            return self._with_parts(value, len(shape), {"_batch_shape": self.batch + shape, "_validate_args": False})
        if isinstance(value, Transform):
            return self._with_parts(value, rank, {})
        if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
            return type(value)(self.of(part, rank) for part in value)
        return value

    def _with_parts(self, value: Any, rank: int, others: dict[str, Any]) -> Any:
        key = id(value), rank
        if key not in self.made:
            copied = self.made[key] = copy.copy(value)
            vars(copied).clear()
            inner = rank + len(getattr(value, "event_shape", ()))
            for name, part in _attributes(value).items():
                of_events = isinstance(part, Transform | list | tuple)
                vars(copied)[name] = self.of(part, inner if of_events else rank)
            vars(copied).update(others)
        return self.made[key]


def _behind_batch(tensor: Tensor, axes: int, rank: int) -> Tensor:
    """`[*B, *shape]` so that it broadcasts against `[*B, *others]` of a rank: torch aligns shapes at their ends."""
    batch, shape = tensor.shape[:axes], tensor.shape[axes:]
    missing = rank - len(shape)
    return tensor.reshape(*batch, *[1] * missing, *shape) if missing > 0 else tensor
