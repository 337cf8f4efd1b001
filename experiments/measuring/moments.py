"""Moments of gradient estimates in groups that grow block by block; memory does not grow with the replicates."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from estimators.wrappers.pareto import tail_shape, tail_size
from experiments import statistics
from experiments.gradients.workload import Workload
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.rounding import rounding_noise
from experiments.measuring.running import Running
from experiments.measuring.scale import cost_varies, size_of_terms
from experiments.statistics import GROUPS, Groups, Interval

__all__ = ["MANY", "Sampling"]

T = TypeVar("T")


MOST_ROWS = 16
"""Replicates of each group in a block of smaller chunks: merging moments costs the same for any number."""
MANY = 2**13
"""Entries of a gradient from which on it takes as long to merge moments as to compute a gradient."""
TINY = 1e-6
"""Entries of a gradient below which it may be 0 but for rounding: then the size of its terms is looked at."""
MOST_TAIL = 200
"""Estimates that the shape of the tail is fitted to: 1 % of the first 20,000. Fewer lie further out."""
TIED, OFTEN = 1e-5, 5
"""The difference of logarithms up to which squared norms are the same, and how often the largest has to come."""
ROUNDING_MARGIN = 4.0
"""Times the rounding noise of an estimate below which a variance is nothing else."""


def _power_of_two(number: int, most: int) -> int:
    """The largest one that is not above either, at least 1."""
    return 1 << max(min(number, most), 1).bit_length() - 1


def _block(workload: Workload, rows: int) -> int:
    """The replicates of a block in which each group has so many, or more where a chunk makes more."""
    rows = _power_of_two(rows, MOST_ROWS)
    chunk = workload.chunk
    return max(chunk, GROUPS * (rows if chunk >= rows else max(chunk, 1)))


class Sampling:
    """Group moments that grow block by block."""

    def __init__(self, workload: Workload, reference: Reference | NoReference | None):
        self.compare_with(reference)
        self.direction: Tensor | None = None
        if self.reference is not None and self.reference.norm > 0:
            unit = torch.from_numpy(self.reference.gradient / self.reference.norm)
            self.direction = unit.to(workload.device, workload.dtype)
        self.begin(workload)

    def begin(self, workload: Workload) -> None:
        """Forget all replicates, and take others from a workload."""
        self.workload, self.block = workload, _block(workload, MOST_ROWS)
        self._most = workload.most
        self.chunks_used = 0
        self.moments = Running(workload.size)
        self.cosines = np.zeros(GROUPS)
        self.tail = torch.empty(0, dtype=torch.float64)
        """Logarithms of the largest squared norms, in descending order."""
        self.nonfinite = 0
        self.compile_seconds = math.nan
        self._room: Tensor | None = None

    @property
    def replicates(self) -> int:
        return GROUPS * self.moments.count

    @property
    def groups(self) -> Groups | None:
        """The moments so far, which do not change where more replicates are added; None: there are none."""
        return self.moments.snapshot() if self.moments.count else None

    def go_on(self, workload: Workload, block: int | None) -> None:
        """Take further replicates from a workload with the same chunks, in the usual blocks or smaller ones."""
        usual = _block(workload, MOST_ROWS)
        self.workload, self.block = workload, min(usual, block or usual)

    def compare_with(self, reference: Reference | NoReference | None) -> None:
        """From now on errors are those against this reference; cosines keep the direction of the first."""
        self.reference = reference if isinstance(reference, Reference) else None
        self.remark = "" if reference is None else reference.remark
        self.disputed = isinstance(reference, NoReference) and reference.disputed

    def resize(self, replicates: int) -> int:
        """From now on a block has so many replicates, of which chunks have what fits, but 64 at least; its size."""
        power = 1 << max(replicates - 1, 0).bit_length()
        self.workload = replace(self.workload, most=min(power, self._most or power))
        self.block = _block(self.workload, replicates // GROUPS)
        return self.block

    def compile(self) -> None:
        """Compile the gradient, if it is not yet, by first calls that are timed apart from the others."""
        began = time.monotonic()
        if not self.workload.is_compiled:
            self.workload = self.workload.compiled
        if self.workload.compile is True:  # it will also be timed at R = 1: what fails there is given up now
            self.workload.one_gradient()
        self.workload.gradients(0)
        self.compile_seconds = time.monotonic() - began

    def within_memory(self, sample: Callable[[], T]) -> T:
        """The value of `sample`, which is called again in chunks of half the size where a device runs out of memory.

        torch.OutOfMemoryError: they cannot be smaller.
        """
        while True:
            try:
                return sample()
            except torch.OutOfMemoryError:
                before = self.workload.chunk
                self.begin(self.workload.halved)
                warnings.warn(f"{before:,} replicates at once do not fit into the memory: halved", stacklevel=2)
            finally:
                self._room = None

    def grow(self, replicates: int) -> None:
        """Add a block, of which at most the first `replicates` (a multiple of the number of groups) are used."""
        chunk, rows = self.workload.chunk, min(self.block, replicates) // GROUPS
        few = chunk >= GROUPS * MOST_ROWS or self.workload.size < MANY
        if (few and chunk >= GROUPS) or chunk != _power_of_two(chunk, chunk):
            while rows > 0:
                used = min(chunk, GROUPS * rows)
                self._take(used, slice(0, GROUPS), 0)
                self.moments.complete(used // GROUPS)
                rows -= used // GROUPS
            return
        # A chunk goes to few groups, so that it, and their moments, are merged while they are in the caches.
        rows = _power_of_two(rows, GROUPS)
        groups = min(max(chunk // rows, 1), GROUPS)
        used = min(chunk, groups * rows)
        try:
            for first in range(0, GROUPS, groups):
                for done in range(0, rows, used // groups):
                    self._take(used, slice(first, first + groups), done)
            self.moments.complete(rows)
        except BaseException:  # some groups have had more than others, which no figure may be made of
            self.begin(self.workload)
            raise

    def _take(self, used: int, groups: slice, done: int) -> None:
        """Add the first estimates of the next chunk to some groups, which have had `done` more than the others."""
        gradients = self._next_chunk()[:used]
        lengths = _lengths(gradients)
        if self.direction is not None:
            cosines = torch.where(lengths > 0, (gradients @ self.direction).double() / lengths, 0.0)
            self.cosines[groups] += cosines.reshape(-1, groups.stop - groups.start).sum(0).cpu().numpy()
        largest = torch.cat([self.tail, 2 * lengths.nan_to_num(math.inf).log().cpu()])
        self.tail = torch.topk(largest, min(MOST_TAIL + 1, len(largest))).values
        if not self.moments.add(gradients, groups, done):
            self.nonfinite += int((~gradients.isfinite().all(1)).sum())

    def _next_chunk(self) -> Tensor:
        """The gradients of the next chunk, `[chunk, P]`, in place of those of the one before."""
        shape = self.workload.chunk, self.workload.size
        if self._room is None or self._room.shape != shape:
            self._room = torch.empty(shape, device=self.workload.device, dtype=self.workload.dtype)
        self.chunks_used += 1
        return self.workload.gradients(self.chunks_used - 1, self._room)

    @property
    def parts(self) -> list[slice]:
        """Where the entries of each parameter lie."""
        return list(self.workload.places.values())

    @property
    def rounding_floor(self) -> np.ndarray:
        """The deviation of each entry that rounding explains, `[P]`.

        It follows from the entry's own size, in the mean estimate where there is no reference. An entry may be what is
        left of larger terms, those of the largest entry or of all entries: where its variance leaves that open, float64
        decides. An exact gradient is itself a sum of such terms in float64.
        """
        groups = self.moments.groups
        gradient = groups.overall_mean if self.reference is None else self.reference.gradient
        terms = self._size_of_terms if np.abs(gradient).max() < TINY else 0.0
        units = statistics.ROUNDING * torch.finfo(self.workload.dtype).eps
        widest = np.full(len(gradient), units * max(np.abs(gradient).max(), terms))
        if self.workload.dtype == torch.float64:
            return widest
        own = np.maximum(units * np.abs(gradient), statistics.ROUNDING * torch.finfo(torch.float64).eps * terms)
        doubtful = (groups.variance > own**2) & (groups.variance <= widest**2)
        if doubtful.any():
            own[doubtful] = np.maximum(own, ROUNDING_MARGIN * self._rounding_noise)[doubtful]
        return own

    @cached_property
    def _size_of_terms(self) -> float:
        return size_of_terms(self.workload)

    @cached_property
    def _rounding_noise(self) -> np.ndarray:
        return rounding_noise(self.workload)

    @property
    def unknown_scale(self) -> float:
        """inf where every estimate was the same, and not the exact gradient, and every cost: all is open. Else 0.

        That a long run has measured the same says that it did not see the event either.
        """
        groups, floor = self.moments.groups, self.rounding_floor
        if not statistics.never_varied(groups, floor).all():
            return 0.0
        exact = self.reference if self.reference is not None and self.reference.kind == "exact" else None
        known = exact is not None and (np.abs(groups.overall_mean - exact.gradient) <= floor).all()
        return 0.0 if known or cost_varies(self.workload, groups.replicates) else math.inf

    @property
    def tail_shape(self) -> float:
        """Pareto k of the largest squared norms of the estimates: NaN where they are few.

        −inf where the largest came several times: a fit to ties, as of discrete x, says nothing of a tail.
        """
        tail = self.tail[: min(tail_size(self.replicates), MOST_TAIL) + 1]
        if len(tail) and int((tail > tail[0] - TIED).sum()) >= OFTEN:
            return -math.inf
        return tail_shape(tail)

    @property
    def total_variance(self) -> Interval:
        """[0, inf) where anything may have been missed."""
        found = statistics.total_variance(self.moments.groups, self.rounding_floor)
        return Interval(0.0, 0.0, math.inf) if found.high == 0 and self.unknown_scale else found


def _lengths(gradients: Tensor) -> Tensor:
    """Norms of `[n, P]` in float64; their squares may leave the range of a dtype where they do not."""
    lengths = torch.linalg.vector_norm(gradients, dim=1).double()
    tiny = torch.finfo(gradients.dtype).tiny ** 0.5 / torch.finfo(gradients.dtype).eps
    poor = ~(lengths.isfinite() & (lengths > tiny))
    if poor.any():
        lengths[poor] = torch.linalg.vector_norm(gradients[poor].double(), dim=1)
    return lengths
