"""Parts of a problem that bring parameters of their own, such as networks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from estimators.interface.params import Params

__all__ = ["Part", "gathered"]


class Part(ABC):
    """A part of a problem with parameters of its own, e.g. a network; it is an attribute of the problem."""

    @abstractmethod
    def initial_params(self) -> Params:
        """Its parameters at the start, without the replicate axis, under their names in the problem."""

    @abstractmethod
    def module_params(self) -> Params:
        """The tensors that it is made of, under the same names: to train them trains the part."""


def gathered(problem: object, params: Callable[[Part], Params]) -> Params:
    """The parameters of all parts among the attributes of a problem, or of its class.

    ValueError: two parts name different parameters alike.
    """
    found: Params = {}
    sources: dict[str, Tensor] = {}
    for part in _parts(problem):
        for name, value in part.module_params().items():
            if sources.setdefault(name, value) is not value:
                raise ValueError(
                    f'two modules have a parameter named {name}: give each a prefix, ReplicatedModule(module, "mine.")'
                )
        found |= params(part)
    return found


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
