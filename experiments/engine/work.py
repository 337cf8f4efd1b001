"""What is done for cells, wherever it is done: their statistics, and their timing against each other.

Everything here can be sent to another process: cells and answers hold numbers and text alone. Who works in the process
of the command tells it how far it is.
"""

import math
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from experiments.engine.experiment import Experiment, Measured, Skipped
from experiments.engine.measure import Measure
from experiments.engine.train import TrainCurves
from experiments.machine.errors import reason
from experiments.sweep import Cell
from experiments.terminal.telling import Tell, untold
from experiments.timing.rounds import Timed, Timing, time_gradients

__all__ = ["Failure", "experiment_of", "measure_cell", "measure_with_clock", "time_cells"]

TRACEBACK = 10_000
"""Characters of a traceback that are kept, the last ones."""
KNOWN = 0.01
"""The standard error of a latency, as a part of it, from which on it is known well enough."""
LACK_OF_MEMORY = ("can't allocate memory", "not enough memory")


@dataclass(frozen=True)
class Failure:
    """Why there are no figures."""

    status: Literal["failed", "timeout", "out-of-memory", "interrupted"]
    error: str
    traceback: str = ""
    attempts: int = 1

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        text = "".join(traceback.format_exception(error))[-TRACEBACK:]
        return cls("out-of-memory" if _is_lack_of_memory(error) else "failed", reason(error), text)


def measure_cell(cell: Cell, tell: Tell = untold) -> Measured | Skipped | Failure:
    """The statistics of a cell."""
    torch.set_num_threads(1)
    return _attempt(experiment_of(cell).statistics, tell)


def measure_with_clock(cell: Cell, tell: Tell = untold) -> tuple[Measured | Skipped | Failure, float]:
    """The statistics of a cell, and the seconds that they took."""
    began = time.monotonic()
    return measure_cell(cell, tell), time.monotonic() - began


def time_cells(
    cells: Sequence[Cell], rounds: int, measured: Sequence[float], tell: Tell = untold
) -> list[Timing | Failure]:
    """The timing of cells against each other; where one raises after all, each by itself.

    Of what took few seconds to be measured, full chunks are timed in short blocks (`Timed.of`).
    """
    torch.set_num_threads(1)
    found = {}
    for index, (cell, seconds) in enumerate(zip(cells, measured, strict=True), start=1):
        tell(f"warming up {index} of {len(cells)}", math.inf)
        found[cell] = _attempt(_timed, cell, seconds)
    ready = {cell: timed for cell, timed in found.items() if isinstance(timed, Timed)}
    blocks = _Blocks(rounds * len(ready), tell)
    timings = _attempt(time_gradients, list(ready.values()), rounds, 0, blocks.advance, KNOWN)
    if isinstance(timings, Failure):
        timings = [_attempt(_timing, timed, rounds) for timed in ready.values()]
    answers = {**found, **dict(zip(ready, timings, strict=True))}
    return [answers[cell] for cell in cells]


def _attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns, or a Failure: a component may raise anything, and Ctrl-C is the user's."""
    try:
        return function(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Failure.of(error)


def experiment_of(cell: Cell) -> Experiment:
    return Measure(cell) if cell.train is None else TrainCurves(cell)


@dataclass
class _Blocks:
    """Tells how many blocks are timed, and how long the others take."""

    total: int
    tell: Tell
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def advance(self) -> None:
        self.done += 1
        left = (time.monotonic() - self.began) * (self.total / self.done - 1)
        self.tell(f"{self.done} of {self.total} blocks", left)


def _timed(cell: Cell, measured: float) -> Timed:
    return experiment_of(cell).timed(measured)


def _timing(timed: Timed, rounds: int) -> Timing:
    return time_gradients([timed], rounds)[0]


def _is_lack_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch's CPU allocator raises a plain RuntimeError then."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in LACK_OF_MEMORY)
