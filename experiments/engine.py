"""Run a sweep: the statistics of every missing cell, then the timing, each committed as it comes."""

import itertools
from collections.abc import Iterator
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
from experiments.store import Store, load
from experiments.store.schema import FILE_NAME
from experiments.sweep import Cell, Sweep
from experiments.timing import Timed, time_gradients
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
    cells = sweep.cells()
    for device in sweep.device:
        find_device(device)
    with Store.open(folder) as store:
        store.add_run(provenance(), [cell.key for cell in cells])
        finished = store.finished_keys({"done", "failed", "skipped"} - retry)
        missing = [cell for cell in cells if cell.key not in finished]
        progress.start("measuring", len(missing))
        for cell in missing:
            _put_statistics(store, cell, timed=sweep.timing.enabled)
            progress.advance(_label(cell))
        untimed = _untimed(store, sweep, cells)
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
    """What `run` would compute. StoreError: the results that are there cannot be read."""
    cells = sweep.cells()
    if not (folder / FILE_NAME).exists():
        return cells
    found = load(folder).cells
    finished = found["status"].isin(sorted({"done", "failed", "skipped"} - retry))
    if sweep.timing.enabled:
        finished &= ~((found["status"] == "done") & found["timing_status"].isin(["", "pending"]))
    keys = set(found.loc[finished, "key"])
    return [cell for cell in cells if cell.key not in keys]


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


def _untimed(store: Store, sweep: Sweep, cells: list[Cell]) -> list[Cell]:
    if not sweep.timing.enabled:
        return []
    keys = store.untimed_keys()
    return [cell for cell in cells if cell.key in keys]


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
    timings = time_gradients(list(timed.values()), rounds, progress=lambda: progress.advance(label))
    stored = load(store.file).cells.set_index("key")
    for key, timing in zip(timed, timings, strict=True):
        row = stored.loc[key]
        total_variance = Interval(*(row[f"total_variance{end}"] for end in ("", "_low", "_high")))
        mse = Interval(*(row[f"mse{end}"] for end in ("", "_low", "_high")))
        store.put_timing(key, timing.columns(total_variance, mse), timing.rounds())
