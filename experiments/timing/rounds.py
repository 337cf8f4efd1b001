"""Wall-clock time and memory of gradients: warm, synchronised, interleaved, in rounds of random order."""

import math
import random
import timeit
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from estimators.sampling.unchecked import without_validation
from experiments.gradients.workload import Workload
from experiments.machine.memory import peak_memory
from experiments.machine.provenance import cpu_name
from experiments.statistics import Interval, log_median_standard_error, work_normalized
from experiments.timing.kernels import kernel_seconds

__all__ = ["BLOCK_SECONDS", "LATENCY", "ROUNDS", "Timed", "Timing", "block_of", "device_name", "time_gradients"]

ROUNDS = 7
BLOCK_SECONDS = 0.02
MOST_CALLS = 1000
CHUNK_SECONDS, LONGEST = 0.05, 1.0
"""Seconds that a call with many replicates may take after any measurement, and after a long one."""
SHARE, SHORTEST = 20, 0.004
"""The part, one in so many, of a measurement that blocks of a kind take; the seconds that a block has anyway."""
LATENCY = 0.01
"""The seconds that a block at R = 1 has in a sweep: a busy machine takes a core away for some thousandths."""
FEW_ROUNDS = 3
"""Rounds that time a full chunk where it takes longer than a block of a measurement that was short."""
STEEPEST = 64
"""The most by which its replicates are multiplied between two tries."""


@dataclass(frozen=True)
class Timing:
    """The rounds of a timing: seconds of one gradient in each."""

    latency: np.ndarray
    """Seconds of one gradient at R = 1, draw included, as a training step pays it: one figure a round."""
    batched: np.ndarray
    """Seconds of a full chunk divided by its replicates: one figure a round; NaN where only the latency was timed.

    A chunk that takes more than about a second has fewer replicates. So has one that takes long beside what was
    measured, and there are fewer rounds of it."""
    peak_memory_bytes: int | None
    """Most memory held at once by the eager computation of one gradient at R = 1, beyond what was held before."""
    device_name: str
    kernel_seconds: float = math.nan
    """Seconds of the kernels of one gradient at R = 1 on a GPU; NaN on a CPU."""

    @property
    def seconds_per_gradient(self) -> Interval:
        """Median and quartiles."""
        return _median_and_quartiles(self.latency)

    @property
    def seconds_per_gradient_batched(self) -> Interval:
        """Median and quartiles."""
        return _median_and_quartiles(self.batched)

    def times(self, quantity: Interval) -> Interval:
        """A variance or a mean squared error times the median latency, with an interval from both."""
        return work_normalized(quantity, self.latency)

    def columns(self, total_variance: Interval, mse: Interval | None) -> dict[str, Any]:
        """The columns of the timing in the store's `cells` table, beside the statistics that it belongs to."""
        return {
            **Interval.entries("seconds_per_gradient", self.seconds_per_gradient),
            **Interval.entries("seconds_per_gradient_batched", self.seconds_per_gradient_batched),
            **Interval.entries("work_normalized_variance", self.times(total_variance)),
            **Interval.entries("work_normalized_mse", None if mse is None else self.times(mse)),
            "kernel_seconds_per_gradient": self.kernel_seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "device_name": self.device_name,
        }

    def rounds(self) -> dict[str, list[float]]:
        """The raw rounds for the store's `timings` table, in seconds, by kind."""
        return {"latency": self.latency.tolist(), "batched": self.batched.tolist()}


def _median_and_quartiles(seconds: np.ndarray) -> Interval:
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    return Interval(float(median), float(low), float(high))


@dataclass(frozen=True)
class Timed:
    """A workload that is warm, and the calls that fill a block at R = 1 and at a full chunk."""

    workload: Workload
    one: Callable[[], None]
    many: Callable[[], None] | None
    """A call that computes `replicates` of them; None: only the latency is timed."""
    calls: tuple[int, int]
    peak_memory_bytes: int | None
    kernel_seconds: float = math.nan
    replicates: int = 0
    """Those of a full chunk, or fewer where these take long."""
    chunk_rounds: float = math.inf
    """The rounds that time a full chunk, the first ones."""

    @classmethod
    def of(cls, workload: Workload, measured: float = math.inf, least: float = SHORTEST) -> "Timed":
        """A workload, warmed up. Raises what the workload raises; a chunk that does not fit into memory is halved.

        Where a measurement took no more than so many seconds, `ROUNDS` rounds take a part of them: blocks are shorter,
        at R = 1 down to `least`, a full chunk that takes long has fewer replicates, and where it takes longer than its
        block, fewer rounds time it.
        """
        one, device, block = _step(workload, 1), workload.device, block_of(measured)
        longest = min(max(measured / SHARE, CHUNK_SECONDS), LONGEST)
        one_calls, many_calls = _calls_in_a_block(one, block_of(measured, least)), 0
        while True:
            replicates = _affordable(workload, longest)
            many = _step(workload, replicates)
            with suppress(torch.OutOfMemoryError):
                many_calls = _calls_in_a_block(many, block)
            if many_calls:
                break
            workload = workload.halved
        with without_validation():
            peak = peak_memory(_step(workload.eager, 1), device)  # what a compiled gradient holds inside is not seen
            kernels, rounds = kernel_seconds(one, device), _rounds(block, many_calls)
            return cls(workload, one, many, (one_calls, many_calls), peak, kernels, replicates, rounds)

    @classmethod
    def latency(cls, workload: Workload, block_seconds: float) -> "Timed":
        """A workload timed at R = 1 alone, without memory, in blocks that may be short. Raises what that raises."""
        one = _step(workload, 1)
        return cls(workload, one, None, (_calls_in_a_block(one, min(block_seconds, BLOCK_SECONDS)), 0), None)

    @classmethod
    def in_calls(cls, workload: Workload, calls: int) -> "Timed":
        """The same for a workload that is warm, in blocks of so many calls."""
        return cls(workload, _step(workload, 1), None, (calls, 0), None)

    @classmethod
    def step(cls, workload: Workload, step: Callable[[], None]) -> "Timed":
        """A training step at R = 1, which does more than one gradient."""
        synchronised = _synchronised(step, workload.device)
        return cls(workload, synchronised, None, (_calls_in_a_block(synchronised), 0), None)


def time_gradients(
    timed: Sequence[Timed],
    rounds: int = ROUNDS,
    seed: int = 0,
    progress: Callable[[], object] = lambda: None,
    known: float = 0.0,
) -> list[Timing]:
    """Time workloads against each other: every round times each once, in a random order of its own.

    A latency that is known after a few rounds, its median to within a standard error of so small a part of it, has no
    more of them. `progress` is called after each pair of blocks, rounds times workloads in all.
    """
    latency, batched = np.full((2, len(timed), rounds), np.nan)
    order = list(range(len(timed)))
    generator = random.Random(seed)
    for round_index in range(rounds):
        generator.shuffle(order)
        for cell in order:
            this = timed[cell]
            if not _is_known(latency[cell, :round_index], known):
                latency[cell, round_index] = _seconds(this.one, this.calls[0])
            if this.many is not None and round_index < this.chunk_rounds:
                batched[cell, round_index] = _seconds(this.many, this.calls[1]) / this.replicates
            progress()
    rows = zip(latency, batched, timed, strict=True)
    return [
        Timing(
            one[np.isfinite(one)],
            many[: int(min(this.chunk_rounds, rounds))],
            this.peak_memory_bytes,
            device_name(this.workload.device),
            this.kernel_seconds,
        )
        for one, many, this in rows
    ]


def _is_known(latency: np.ndarray, within: float) -> bool:
    """Whether rounds say enough: none after them does, once some have sufficed."""
    if len(latency) < FEW_ROUNDS or not within:
        return False
    return bool(np.isnan(latency[-1])) or log_median_standard_error(latency) < within


def block_of(measured: float, least: float = SHORTEST) -> float:
    """The seconds of a block where a measurement took so many."""
    return min(max(measured / (SHARE * ROUNDS), least), BLOCK_SECONDS)


def _step(workload: Workload, replicates: int) -> Callable[[], None]:
    source = workload.source("timing")
    params = workload.params(replicates)
    return _synchronised(lambda: workload.step(params, source), workload.device)


def _rounds(block: float, calls: int) -> float:
    return FEW_ROUNDS if block < BLOCK_SECONDS and calls == 1 else math.inf


def _affordable(workload: Workload, longest: float) -> int:
    """The replicates of a full chunk, or as many as take no longer than that, found by trying more and more."""
    replicates, eager = 1, workload.eager
    while replicates < workload.chunk:
        try:
            seconds = _seconds(_step(eager, replicates), 1)
        except torch.OutOfMemoryError:
            return replicates
        factor = min(int(longest / max(seconds, 1e-9)), STEEPEST)
        if factor < 2:
            return replicates
        replicates = min(replicates * (1 << factor.bit_length() - 1), workload.chunk)
    return workload.chunk


def _synchronised(step: Callable[[], object], device: torch.device) -> Callable[[], None]:
    synchronise = partial(torch.cuda.synchronize, device) if device.type == "cuda" else None

    def synchronised() -> None:
        step()
        if synchronise is not None:
            synchronise()

    return synchronised


def _seconds(step: Callable[[], None], calls: int) -> float:
    with without_validation():
        if calls > 1:
            step()  # the caches hold another workload
        return timeit.Timer(step).timeit(calls) / calls


def _calls_in_a_block(step: Callable[[], None], block_seconds: float = BLOCK_SECONDS) -> int:
    """Calls that fill a block, found on a step that is warm (compiled, caches filled)."""
    _seconds(step, 1)
    return max(1, min(MOST_CALLS, round(block_seconds / _seconds(step, 1))))


def device_name(device: torch.device) -> str:
    """The model of the GPU or CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
