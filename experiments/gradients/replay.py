"""Noise in two halves: what a source draws, and what a pure function, which can be compiled, makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

from estimators.interface import Noise, Params
from estimators.noise import IID
from estimators.noise.source import Shape
from experiments.gradients.bulk import Bulk, Law, finished, iid
from experiments.gradients.steps import Eager

__all__ = ["Draw", "Recipe"]


@dataclass(frozen=True)
class Draw:
    """What an estimator asked for: the purposes of the streams that lead to its source, a law and a shape."""

    purposes: tuple[str, ...]
    law: Law
    shape: Shape

    def raw(self, source: IID) -> Tensor:
        """The first half."""
        for purpose in self.purposes:
            source = source.stream(purpose)
        if isinstance(source, Bulk):
            return source.raw(self.law, self.shape)
        return source.uniform(self.shape) if self.law == "uniform" else source.normal(self.shape)


@dataclass(frozen=True)
class Recipe:
    """How the noise of a step is drawn and put together, where it is nothing but uniforms and normals."""

    draws: tuple[Draw, ...]
    structure: TreeSpec

    @classmethod
    def of(cls, eager: Eager, params: Params, device: torch.device, dtype: torch.dtype) -> "Recipe":
        """The recipe of an estimator's noise, found by drawing once, and once more in halves.

        NotImplementedError: the noise is made in another way, and so not in two halves.
        """
        recorder = _Recorder(iid(0, device, dtype), [])
        leaves, structure = tree_flatten(eager.noise(params, recorder))
        found = cls(tuple(recorder.record), structure)
        if len(found.draws) == len(leaves):
            again = tree_leaves(found.noise(found.raw(iid(0, device, dtype))))
            if all(map(_same, leaves, again)):
                return found
        raise NotImplementedError("the noise is more than its draws")

    def raw(self, source: IID) -> list[Tensor]:
        return [draw.raw(source) for draw in self.draws]

    def noise(self, raw: Sequence[Tensor]) -> Noise:
        """The second half."""
        leaves = [finished(draw.law, half, draw.shape) for draw, half in zip(self.draws, raw, strict=True)]
        return tree_unflatten(leaves, self.structure)


def _same(one: object, other: Tensor) -> bool:
    return isinstance(one, Tensor) and one.dtype == other.dtype and torch.equal(one, other)


class _Recorder(IID):
    """Draws from a source, and writes down what was asked for."""

    def __init__(self, source: IID, record: list[Draw], purposes: tuple[str, ...] = ()):
        self.source, self.record, self.purposes = source, record, purposes
        self.device, self.dtype = source.device, source.dtype

    def uniform(self, shape: Shape) -> Tensor:
        self.record.append(Draw(self.purposes, "uniform", tuple(shape)))
        return self.source.uniform(shape)

    def normal(self, shape: Shape) -> Tensor:
        self.record.append(Draw(self.purposes, "normal", tuple(shape)))
        return self.source.normal(shape)

    def stream(self, purpose: str) -> "_Recorder":
        return _Recorder(self.source.stream(purpose), self.record, (*self.purposes, purpose))

    @property
    def generator(self) -> NoReturn:
        raise NotImplementedError("a sampler of its own is no source of halves")

    def standard_gamma(self, concentration: Tensor, num_samples: int) -> NoReturn:
        raise NotImplementedError("a gamma variate is neither uniform nor normal")

    def log_gamma(self, concentration: Tensor, num_samples: int) -> NoReturn:
        self.standard_gamma(concentration, num_samples)

    def normal_and_log_gamma(self, concentration: Tensor, num_samples: int) -> NoReturn:
        self.standard_gamma(concentration, num_samples)

    def poisson(self, rate: Tensor, num_samples: int) -> NoReturn:
        raise NotImplementedError("a Poisson variate is neither uniform nor normal")
