"""What is done for cells, wherever it is done: their statistics, and their timing against each other.

Everything here can be sent to another process: cells and answers hold numbers and text alone.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from estimators.interface import Estimator, Problem, Unsupported
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.machine.caching import cache_folder
from experiments.machine.errors import reason
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import extend
from experiments.measuring.moments import Sampling
from experiments.measuring.rounding import rounding
from experiments.sweep import Cell, Train
from experiments.timing.rounds import Timed, Timing, time_gradients
from experiments.training.loop import timed_step, train

__all__ = ["Failure", "Measured", "Skipped", "measure_cell", "measure_with_clock", "time_cells"]

TRACEBACK = 10_000
"""Characters of a traceback that are kept, the last ones."""
LARGEST = 2**63 - 1
LACK_OF_MEMORY = ("can't allocate memory", "not enough memory")
POINT = ("estimator", "problem", "num_samples", "device", "dtype", "seed")


@dataclass(frozen=True)
class Measured:
    """The statistics of a cell, as rows of the store."""

    row: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]]
    """Rows of other tables than `cells`."""


@dataclass(frozen=True)
class Skipped:
    """The estimator does not support the problem."""

    reason: str


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


def measure_cell(cell: Cell) -> Measured | Skipped | Failure:
    """The statistics of a cell."""
    torch.set_num_threads(1)
    return _attempt(_measured, cell)


def measure_with_clock(cell: Cell) -> tuple[Measured | Skipped | Failure, float]:
    """The statistics of a cell, and the seconds that they took."""
    began = time.monotonic()
    return measure_cell(cell), time.monotonic() - began


def time_cells(cells: Sequence[Cell], rounds: int) -> list[Timing | Failure]:
    """The timing of cells against each other; where one raises after all, each by itself."""
    torch.set_num_threads(1)
    found = {cell: _attempt(_timed, cell) for cell in cells}
    ready = {cell: timed for cell, timed in found.items() if isinstance(timed, Timed)}
    timings = _attempt(time_gradients, list(ready.values()), rounds)
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


def _measured(cell: Cell) -> Measured | Skipped:
    if cell.train is not None:
        return _trained(cell, cell.train)
    try:
        workload = _prepare(cell)
        sampling = Sampling(workload, find_reference(workload) if cell.reference else None)
        measurement = extend(sampling, cell.stop)
    except Unsupported as unsupported:
        return Skipped(str(unsupported))
    if cell.rounding:
        measurement = replace(measurement, diagnostics=measurement.diagnostics | rounding(sampling.workload))
    row = {name: value for name, value in measurement.row().items() if name not in POINT}
    for name, value in row.items():
        if isinstance(value, int) and abs(value) > LARGEST:
            raise ValueError(f"{name} is {value}, more than a file of results can hold")
    tables = {
        "parameters": measurement.parameters(),
        "signals": measurement.signal_rows(),
        "leave_one_out": measurement.leave_one_out_rows(),
    }
    return Measured(row, tables)


def _trained(cell: Cell, settings: Train) -> Measured | Skipped:
    """The curves of a cell; one that was stopped on this machine goes on from its last record."""
    began, checkpoint = time.monotonic(), cache_folder() / "training" / f"{cell.key}.pt"
    problem, estimator, num_samples = _components(cell)
    try:
        trained = train(problem, estimator, num_samples, settings, checkpoint=checkpoint, **_place(cell))
    except Unsupported as unsupported:
        return Skipped(str(unsupported))
    figures = {
        "claim": estimator.claim(problem, num_samples),
        "evaluations": estimator.evaluations(problem, num_samples),
        "replicates": settings.seeds,
        "stop_reason": "steps" if trained.steps == settings.steps else "diverged",
        "statistics_seconds": time.monotonic() - began,
    }
    return Measured(trained.row() | figures, {"traces": trained.curves})


def _prepare(cell: Cell) -> Workload:
    return prepare(*_components(cell), **_place(cell), compile=cell.compile)


def _components(cell: Cell) -> tuple[Problem, Estimator, int]:
    return make_problem(cell.problem), make_estimator(cell.estimator), cell.num_samples


def _place(cell: Cell) -> dict[str, Any]:
    return {"seed": cell.seed, "device": cell.device, "dtype": cell.dtype}


def _timed(cell: Cell) -> Timed:
    if cell.train is not None:
        return timed_step(*_components(cell), cell.train, **_place(cell))
    return Timed.of(_prepare(cell))


def _timing(timed: Timed, rounds: int) -> Timing:
    return time_gradients([timed], rounds)[0]


def _is_lack_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch's CPU allocator raises a plain RuntimeError then."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in LACK_OF_MEMORY)
