"""Run a sweep: the statistics of every missing cell, then the timing, each committed as it comes."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from estimators.interface import Unsupported
from estimators.registry import make_estimator, make_problem
from experiments.measuring import estimate
from experiments.provenance import provenance
from experiments.reference import find_reference
from experiments.rounding import rounding
from experiments.statistics import Interval
from experiments.store import States, Store, load, states
from experiments.sweep import Cell, Sweep
from experiments.timing import Timed, Timing, time_gradients
from experiments.workload import Workload, find_device, prepare

__all__ = ["Outcome", "Progress", "reason", "remaining", "run"]


class Progress(Protocol):
    """Who hears how far a run has come."""

    def start(self, phase: str, total: int) -> None:
        """A phase of `total` steps begins."""

    def advance(self, what: str, steps: int = 1) -> None:
        """Steps of the phase are done; `what` says which came last."""


@dataclass(frozen=True)
class Outcome:
    """What a run found to do and did."""

    planned: int
    computed: int
    """Cells whose statistics or timing were computed now."""
    done: int
    failed: int
    skipped: int


def run(sweep: Sweep, folder: Path, progress: Progress, *, retry: frozenset[str] = frozenset()) -> Outcome:
    """Compute what is missing of a sweep in a results folder; cells of the statuses in `retry` are computed anew.

    A cell that raises is recorded as failed and the others go on. A killed run is repeated to be continued.

    Raises:
        ValueError: the sweep is wrong, or one of its devices is not there; nothing has been written.
        StoreError: the folder cannot be written.
    """
    torch.set_num_threads(1)
    cells = _cells(sweep)
    with Store.open(folder) as store:
        store.add_run(provenance(), [cell.key for cell in cells])
        missing = _unmeasured(cells, store.states(), retry)
        progress.start("measuring", len(missing))
        for cell in missing:
            _put_statistics(store, cell, timed=sweep.timing.enabled)
            progress.advance(_label(cell))
        untimed = _untimed(cells, store.states(), retry) if sweep.timing.enabled else []
        progress.start("timing", len(untimed) * sweep.timing.rounds)
        for group in _groups(untimed):
            _put_timings(store, group, sweep.timing.rounds, progress)
    found = load(folder).cells
    states = list(zip(found["status"], found["timing_status"], strict=True))
    failed = sum("failed" in state for state in states)
    done = sum(status == "done" and timing != "failed" for status, timing in states)
    skipped = sum(status == "skipped" for status, _ in states)
    computed = len({cell.key for cell in (*missing, *untimed)})
    return Outcome(len(cells), computed, done, failed, skipped)


def remaining(sweep: Sweep, folder: Path, retry: frozenset[str] = frozenset()) -> list[Cell]:
    """The cells whose statistics or timing `run` would compute. It raises what `run` raises before it writes."""
    cells, known = _cells(sweep), states(folder)
    untimed = _untimed(cells, known, retry) if sweep.timing.enabled else []
    return list(dict.fromkeys([*_unmeasured(cells, known, retry), *untimed]))


def _cells(sweep: Sweep) -> list[Cell]:
    cells = sweep.cells()
    for device in dict.fromkeys(cell.device for cell in cells):
        find_device(device)
    return cells


def _unmeasured(cells: list[Cell], known: States, retry: frozenset[str]) -> list[Cell]:
    return [cell for cell in cells if cell.key not in known or known[cell.key][0] in retry]


def _untimed(cells: list[Cell], known: States, retry: frozenset[str]) -> list[Cell]:
    wanted = {("done", timing) for timing in {"", "pending"} | ({"failed"} & retry)}
    return [cell for cell in cells if known.get(cell.key) in wanted]


def _label(cell: Cell) -> str:
    return f"{cell.problem} · {cell.estimator} · S={cell.num_samples}"


def _prepare(cell: Cell) -> Workload:
    problem, estimator = make_problem(cell.problem), make_estimator(cell.estimator)
    return prepare(
        problem,
        estimator,
        cell.num_samples,
        seed=cell.seed,
        device=cell.device,
        dtype=cell.dtype,
        compile=cell.compile,
    )


def _put_statistics(store: Store, cell: Cell, *, timed: bool) -> None:
    try:
        workload = _prepare(cell)
        measurement = estimate(workload, find_reference(workload), cell.stop)
        if cell.rounding:
            measurement = replace(measurement, diagnostics=measurement.diagnostics | rounding(workload))
    except Unsupported as unsupported:
        store.put_skipped(cell, str(unsupported))
    except Exception as error:
        store.put_failure(cell, reason(error))
    else:
        row = measurement.row()
        point = ("estimator", "problem", "num_samples", "device", "dtype", "seed")
        statistics = {name: value for name, value in row.items() if name not in point}
        store.put_statistics(cell, statistics, measurement.parameters(), timed=timed)


def reason(error: Exception) -> str:
    """An exception in one line."""
    first_line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__


def _groups(cells: list[Cell]) -> Iterator[list[Cell]]:
    """Cells that differ in the estimator alone, which are timed against each other."""

    def place(cell: Cell) -> tuple[object, ...]:
        return cell.problem, cell.num_samples, cell.device, cell.dtype

    for _, group in itertools.groupby(sorted(cells, key=place), key=place):
        yield list(group)


def _put_timings(store: Store, cells: list[Cell], rounds: int, progress: Progress) -> None:
    timed = {}
    for cell in cells:
        try:
            timed[cell.key] = Timed.of(_prepare(cell))
        except Exception as error:
            store.put_timing_failure(cell.key, reason(error))
            progress.advance(_label(cell), rounds)
    label = f"{cells[0].problem} · S={cells[0].num_samples}"
    timings = _timings(list(timed.values()), rounds, lambda: progress.advance(label))
    for key, timing in zip(timed, timings, strict=True):
        if isinstance(timing, Exception):
            store.put_timing_failure(key, reason(timing))
            continue
        total_variance, mse = (Interval(*store.interval(key, name)) for name in ("total_variance", "mse"))
        store.put_timing(key, timing.columns(total_variance, mse), timing.rounds())


def _timings(timed: list[Timed], rounds: int, told: Callable[[], object]) -> list[Timing | Exception]:
    """Timed against each other; where one raises after all, each by itself."""
    try:
        return [*time_gradients(timed, rounds, progress=told)]
    except Exception:
        return [_timing(one, rounds) for one in timed]


def _timing(timed: Timed, rounds: int) -> Timing | Exception:
    try:
        return time_gradients([timed], rounds)[0]
    except Exception as error:
        return error
