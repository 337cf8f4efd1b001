"""Parts of a problem that bring parameters of their own, such as networks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from estimators.interface.params import Params

__all__ = ["Part", "check_ties", "gathered", "meet", "parts_met"]

_met: ContextVar[list["Part"] | None] = ContextVar("met", default=None)


class Part(ABC):
    """A part of a problem with parameters of its own, e.g. a network; it is an attribute of the problem."""

    @abstractmethod
    def initial_params(self) -> Params:
        """Its parameters at the start, without the replicate axis, under their names in the problem."""

    @abstractmethod
    def module_params(self) -> Params:
        """The tensors that it is made of, under the same names: to train them trains the part."""

    def state(self) -> Params:
        """All tensors that a file of its state holds, under such names: buffers and second names of parameters too."""
        return self.module_params()


def gathered(problem: object, params: Callable[[Part], Params]) -> Params:
    """The parameters of all parts among the attributes of a problem, or of its class.

    ValueError: two parts name different parameters alike, or one parameter differently.
    """
    found: Params = {}
    sources: dict[str, Tensor] = {}
    parts = [*_parts(problem)]
    check_ties(parts)
    for part in parts:
        for name, value in part.module_params().items():
            if sources.setdefault(name, value) is not value:
                raise ValueError(
                    f'two modules have a parameter named {name}: give each a prefix, ReplicatedModule(module, "mine.")'
                )
        found |= params(part)
    return found


def check_ties(parts: Iterable[Part]) -> None:
    """ValueError: a tensor is a parameter of two parts under different names, of which each would be moved alone."""
    names: dict[int, str] = {}
    for name, value in (pair for part in parts for pair in part.module_params().items()):
        if (other := names.setdefault(id(value), name)) != name:
            raise ValueError(
                f"{other} and {name} are one tensor, which two modules would have as a parameter each: put both into "
                'one module, and call its methods by their names, as in of_samples(params, x, method="decode")'
            )


@contextmanager
def parts_met() -> Iterator[list[Part]]:
    """The parts that a problem calls in this block, among its attributes or not; a block around it meets them too."""
    met: list[Part] = []
    token = _met.set(met)
    try:
        yield met
    finally:
        _met.reset(token)
        for part in met:
            meet(part)


def meet(part: Part) -> None:
    """Note that a part is called."""
    if not torch.compiler.is_compiling() and (met := _met.get()) is not None and part not in met:
        met.append(part)


def _parts(problem: object) -> Iterator[Part]:
    """Each part once, in the order in which the attributes were made."""
    of_classes = {name: value for cls in reversed(type(problem).__mro__) for name, value in vars(cls).items()}
    seen: set[int] = set()
    for part in _inside([*(of_classes | vars(problem)).values()]):
        if id(part) not in seen:
            seen.add(id(part))
            yield part


def _inside(value: Any) -> Iterator[Part]:
    if isinstance(value, Part):
        yield value
    elif isinstance(value, dict):
        yield from _inside([*value.values()])
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _inside(part)
