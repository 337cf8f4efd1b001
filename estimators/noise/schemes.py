"""Structured noise: the same shapes as iid noise, with a structure over the samples of each replicate.

A point picked at random from the S points of a replicate is uniform, so that a mean over samples stays unbiased; what
changes is the joint distribution along the sample axis. The dimensions of a sample are those after `[S, R]`, flattened.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from estimators.noise.sobol import MAX_DIMENSIONS, scrambled_sobol
from estimators.noise.source import NoiseSource, Shape, open_interval

__all__ = ["SCHEMES", "Scheme", "register_scheme"]


SCHEMES: dict[str, type["Scheme"]] = {}
"""The schemes by name."""

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


@register_scheme("antithetic")
class Antithetic(Scheme):
    """Pairs u, 1 - u (Hammersley & Morton 1956); normals in pairs z, -z."""

    summary = "pairs of mirrored points; S must be even"

    @classmethod
    def unsupported(cls, num_samples: int, dimensions: int) -> str | None:
        return None if num_samples % 2 == 0 else f"antithetic pairs need an even num_samples, not {num_samples}"

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        half = self.source.uniform((num_samples // 2, replicates, dimensions))
        return torch.cat([half, 1 - half])

    def normal(self, shape: Shape) -> Tensor:
        self.require(shape[0], math.prod(shape[2:]))
        half = self.source.normal((shape[0] // 2, *shape[1:]))
        return torch.cat([half, -half])


@register_scheme("grid")
class Grid(Scheme):
    """One uniform point in each cell of a regular grid of k^D cells: stratified sampling."""

    summary = "one point in each of k^D equal cells; S must be a D-th power"

    @classmethod
    def unsupported(cls, num_samples: int, dimensions: int) -> str | None:
        if _root(num_samples, dimensions) is None:
            return (
                f"a grid in {dimensions} dimensions needs num_samples to be a {dimensions}-th power above 1, "
                f"not {num_samples}; scheme=latin-hypercube takes any number"
            )
        return None

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        side = _root(num_samples, dimensions)
        assert side is not None
        index = torch.arange(num_samples, device=self.device)[:, None]
        cell = index // side ** torch.arange(dimensions, device=self.device) % side
        return (cell[:, None] + self.source.uniform((num_samples, replicates, dimensions))) / side


@register_scheme("latin-hypercube")
class LatinHypercube(Scheme):
    """One point in each of S equal slices of every axis (McKay, Beckman & Conover 1979)."""

    summary = "one point in each of S slices of every axis"

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        slices = self.permutations(num_samples, replicates, dimensions)
        return (slices + self.source.uniform((num_samples, replicates, dimensions))) / num_samples


@register_scheme("systematic")
class Systematic(Scheme):
    """The points (i + U) / S in random order on every axis, with one U an axis (Madow 1949; Kitagawa 1996)."""

    summary = "equally spaced points with one random offset an axis"

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        slices = self.permutations(num_samples, replicates, dimensions)
        return (slices + self.source.uniform((1, replicates, dimensions))) / num_samples


@register_scheme("sobol")
class Sobol(Scheme):
    """Sobol' points with a nested uniform scrambling of its own for each replicate (Owen 1995)."""

    summary = "Owen-scrambled Sobol points; best where S is a power of 2"

    @classmethod
    def unsupported(cls, num_samples: int, dimensions: int) -> str | None:
        if dimensions > MAX_DIMENSIONS:
            return f"Sobol points have at most {MAX_DIMENSIONS} dimensions, not {dimensions}; try latin-hypercube"
        return None

    def points(self, num_samples: int, replicates: int, dimensions: int) -> Tensor:
        seeds = (self.source.uniform((2, replicates, dimensions)) * 2**16).to(torch.int32)
        return scrambled_sobol(num_samples, (seeds[0] << 16) | seeds[1], self.dtype)


def _root(num_samples: int, dimensions: int) -> int | None:
    side = round(num_samples ** (1 / max(dimensions, 1)))
    return side if side > 1 and side**dimensions == num_samples else None
