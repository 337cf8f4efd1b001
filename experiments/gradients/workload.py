"""Gradient estimates of one estimator on one problem, in chunks: what is measured and what is timed."""

import itertools
import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from estimators.interface import Estimator, Noise, Objective, Params, Problem, replicated
from estimators.noise import IID, derive_seed
from estimators.sampling.unchecked import without_validation
from experiments.gradients.bulk import iid
from experiments.gradients.compiling import Compile, Compiled
from experiments.gradients.footprint import Footprint
from experiments.gradients.mini_batches import first_batch
from experiments.gradients.steps import Eager, Step
from experiments.statistics import GROUPS

__all__ = ["Workload", "flatten"]

CHUNK_ELEMENTS = 2**19
"""Element-samples (replicates × samples × event size) in a chunk: the fastest size measured on CPUs."""
MOST_REPLICATES = 2**15
"""The most replicates in a chunk, where no fewer are wanted: many cells want no more."""
ONE_BY_ONE = 2**10
"""The most samples in a chunk of a program that is called for one at a time: about a second."""
CHUNK_BYTES = 2**26
"""The most bytes of a chunk by the problem's footprint, in float64; estimators take some times as much.

What a chunk computes should stay in the caches: in the memory alone, networks take up to twice as long."""
CHUNK_ENTRIES = 2**23
"""The most entries of the gradients of a chunk, for the same reason."""
FEW, LARGEST_BYTES = 16, 2**30
"""Replicates that a chunk has in any case, where these bytes are enough: what is done once a chunk costs more."""
SPARE = 16
"""A part of the wanted replicates, one in so many, that may be drawn and not used."""


@dataclass(frozen=True)
class Workload:
    """An estimator, fitted where it learns, on a problem at its initial parameters."""

    problem: Problem
    estimator: Estimator
    num_samples: int
    seed: int
    device: torch.device
    dtype: torch.dtype
    point: Params
    """The parameters, without the replicate axis."""
    fitted: bool
    """The estimator learned from noise of its own first: results are conditional on that fit."""
    step: Step
    fit_seconds: float = math.nan
    """Seconds of that fit; NaN where nothing was learned."""
    compile: Compile = False
    """Whether the step is to be compiled; "auto": once that pays."""
    most: int | None = None
    """The most replicates in a chunk where more do not fit into the memory or take long, a power of two."""
    wanted: int | None = None
    """The replicates that are wanted at the most, if that is known."""
    footprint: Footprint = Footprint()
    """What a replicate of the problem takes."""
    batch: int = 0
    """The data points of a mini-batch, of which each replicate has its own; 0: all data."""
    order: int = 1
    """1: gradients; 2: the Hessian times a direction, as `second_order.AlongDirection` estimates it."""
    on_all_data: "Workload | None" = None
    """Where gradients are on mini-batches: the same on all data, for the reference."""

    @cached_property
    def objective(self) -> Objective:
        """What the gradient is of."""
        return self.estimator.objective(self.problem, self.num_samples)

    @cached_property
    def elements(self) -> int:
        """Samples × event size of one replicate."""
        seen = first_batch(self.problem, self.batch) if self.batch else self.problem
        return self.num_samples * seen.initial_distribution.event_shape.numel()

    @cached_property
    def chunk(self) -> int:
        """Replicates in a chunk.

        A power of two that depends on the problem and num_samples alone, and where memory is short on how often it was
        halved. Where fewer are wanted, or most of the last chunk would be left over, chunks of equal size that make up
        what is wanted.
        """
        each = max(self.footprint.of_replicate(self.num_samples), 1.0)
        by_caches = min(int(CHUNK_BYTES / each), CHUNK_ENTRIES // max(self.size, 1))
        by_bytes = max(by_caches, min(int(LARGEST_BYTES / each), FEW))
        sizes = [CHUNK_ELEMENTS // self.elements, by_bytes, MOST_REPLICATES]
        if not self.problem.mapped:
            sizes.append(ONE_BY_ONE // self.num_samples)
        fastest = 1 << max(min(*sizes, self.most or MOST_REPLICATES), 1).bit_length() - 1
        return fastest if self.wanted is None else _divided(self.wanted, fastest)

    def at_most(self, replicates: int) -> "Workload":
        """The same for so many replicates at the most, of which hardly more are then drawn."""
        return replace(self, wanted=min(replicates, self.wanted or replicates))

    def smaller(self, most: int) -> "Workload":
        """The same in chunks of so many replicates at the most, a power of two."""
        return replace(self, most=min(most, self.most or most))

    @property
    def halved(self) -> "Workload":
        """The same in chunks of half the size. torch.OutOfMemoryError: they cannot be smaller."""
        if self.chunk == 1:
            raise torch.OutOfMemoryError(f"not enough memory on {self.device} for one replicate")
        smaller = self.smaller(1 << (self.chunk // 2).bit_length() - 1)
        return smaller.compiled if self.is_compiled else smaller  # anew: torch limits the shapes of one function

    @property
    def eager(self) -> "Workload":
        return replace(self, step=self._eager)

    @property
    def compiled(self) -> "Workload":
        with without_validation():  # the compiler of torch turns argument checks off for good when it is first loaded
            return replace(self, step=Compiled(self._eager, self.device, self.dtype))

    @property
    def is_compiled(self) -> bool:
        return isinstance(self.step, Compiled)

    @property
    def _eager(self) -> Eager:
        return Eager(self.problem, self.estimator, self.num_samples)

    @cached_property
    def size(self) -> int:
        """P, the number of parameter entries."""
        return sum(value.numel() for value in self.point.values())

    def on_noise_of(self, seed: int) -> "Workload":
        """The same, with what it has learned, on the noise of another seed."""
        whole = None if self.on_all_data is None else self.on_all_data.on_noise_of(seed)
        return replace(self, seed=seed, on_all_data=whole)

    @cached_property
    def places(self) -> dict[str, slice]:
        """Where the entries of each parameter lie among the P."""
        ends = itertools.accumulate(value.numel() for value in self.point.values())
        return {name: slice(end - self.point[name].numel(), end) for name, end in zip(self.point, ends, strict=True)}

    def named(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """`[P]` as one array for each parameter, of its shape."""
        return {name: flat[place].reshape(self.point[name].shape) for name, place in self.places.items()}

    def params(self, replicates: int) -> Params:
        return replicated(self.point, replicates)

    def source(self, *purpose: object) -> IID:
        """A noise stream that depends on the seed, problem, num_samples and purpose, and not on the estimator."""
        seed = derive_seed(self.seed, self.problem.spec, self.num_samples, *purpose)
        return iid(seed, self.device, self.dtype)

    def draw(self, source: IID, replicates: int) -> Noise:
        """The noise of a step."""
        return self._eager.noise(self.params(replicates), source)

    def gradient(self, params: Params, noise: Noise) -> Params:
        """The estimates that given noise makes, eagerly."""
        return self._eager.gradient(params, noise)

    def noise(self, index: int) -> Noise:
        """The noise of a chunk, always drawn in full."""
        return self.draw(self.source("chunk", index), self.chunk)

    def gradients(self, index: int, into: Tensor | None = None) -> Tensor:
        """The gradient estimates of a chunk, `[chunk, P]`, in a tensor of their own or in one that is there."""
        with without_validation():
            return flatten(self.step(self.params(self.chunk), self.source("chunk", index)), into)

    def one_gradient(self) -> Params:
        """One gradient, at R = 1."""
        with without_validation():
            return self.step(self.params(1), self.source("one"))


def flatten(params: Params, into: Tensor | None = None) -> Tensor:
    """Parameters `[R, *shape]` as one matrix `[R, P]`, in the order of the dictionary."""
    rows = [value.reshape(len(value), -1) for value in params.values()]
    return torch.cat(rows, dim=1) if into is None else torch.cat(rows, dim=1, out=into)


def _divided(wanted: int, fastest: int) -> int:
    """The size of the chunks that make up what is wanted, none of them larger than is fast."""
    rows = -(-wanted // GROUPS)
    chunks = -(-rows * GROUPS // fastest)
    if fastest <= GROUPS or (chunks * fastest - wanted) * SPARE <= wanted:
        return fastest
    return GROUPS * -(-rows // chunks)
