"""Structured noise: the same shapes as iid noise, with a structure over the samples of each replicate.

A point picked at random from the S points of a replicate is uniform, so that a mean over samples stays unbiased; what
changes is the joint distribution along the sample axis. The dimensions of a sample are those after `[S, R]`, flattened.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

from torch import Tensor

from estimators.noise.source import NoiseSource, Shape, open_interval

__all__ = ["SCHEMES", "Scheme", "register_scheme"]


SCHEMES: dict[str, type["Scheme"]] = {}
"""The schemes by name: of the files in `schemes/`, and of plug-ins."""

S = TypeVar("S", bound="type[Scheme]")


def register_scheme(name: str) -> Callable[[S], S]:
    """Class decorator: make a `Scheme` known under a name, for `stratified:scheme=NAME`. ValueError: it exists."""

    def decorate(cls: S) -> S:
        if name in SCHEMES and SCHEMES[name].__qualname__ != cls.__qualname__:
            raise ValueError(f"the scheme '{name}' exists already; choose another name for {cls.__name__}")
        SCHEMES[name] = cls
        return cls

    return decorate


class Scheme(NoiseSource):
    """A structured source around an iid one, from which it takes its randomness."""

    summary: ClassVar[str]

    def __init__(self, source: NoiseSource):
        self.source, self.device, self.dtype = source, source.device, source.dtype

    @classmethod
    def unsupported(cls, num_samples: int, dimensions: int) -> str | None:
        """Why the scheme cannot place this many points in this many dimensions; None: it can."""
        return None

    def uniform(self, shape: Shape) -> Tensor:
        num_samples, replicates, *event = shape
        dimensions = math.prod(event)
        self.require(num_samples, dimensions)
        return open_interval(self.points(num_samples, replicates, dimensions)).reshape(shape)

    def require(self, num_samples: int, dimensions: int) -> None:
        if reason := self.unsupported(num_samples, dimensions):
            raise ValueError(reason)

    @abstractmethod
    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        """Uniforms `[S, R, D]`."""

    def stream(self, purpose: str) -> NoiseSource:
        return self.source.stream(purpose)

    def permutations(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        """A uniformly random permutation of the samples per replicate and dimension, `[S, R, D]`."""
        keys = self.source.uniform((num_samples, replicates, dimensions))
        return keys.argsort(dim=0)
