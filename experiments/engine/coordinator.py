"""Run a sweep: the statistics of every missing cell, then the timing, each committed as it comes."""

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from pandas import DataFrame

from experiments.engine.executor import Executor, Interrupts, Task
from experiments.engine.experiment import Measured, Skipped
from experiments.engine.serial import Serial
from experiments.engine.sources import asked, sources
from experiments.engine.work import Failure, measure_cell, time_cells
from experiments.machine.provenance import provenance
from experiments.statistics import Interval
from experiments.store import FAILURES, States, Store, load, states
from experiments.sweep import Cell, Sweep, cells_of
from experiments.timing.rounds import Timing

__all__ = ["Outcome", "Progress", "remaining", "run"]

EVERYTHING = frozenset({"done", "skipped", *FAILURES})
"""The statuses to compute anew for a fresh start."""


class Progress(Protocol):
    """A listener to how far a run has come."""

    def start(self, phase: str, total: int) -> None:
        """A phase of `total` steps begins."""

    def advance(self, what: str, steps: int = 1) -> None:
        """Steps of the phase are done; `what` says which came last."""

    def doing(self, what: str, left: float) -> None:
        """What is being done, and in how many seconds that ends; infinite: nobody knows."""

    def say(self, message: str) -> None:
        """A message in passing."""


@dataclass(frozen=True)
class Outcome:
    """What a run found to do and did."""

    planned: int
    computed: int
    """Cells whose statistics or timing were computed now."""
    done: int
    failed: int
    skipped: int
    interrupted: bool


def run(
    sweep: Sweep, folder: Path, progress: Progress, *, executor: Executor | None = None, retry: Collection[str] = ()
) -> Outcome:
    """Compute what is missing of a sweep in a results folder; cells of the statuses in `retry` are computed anew.

    A cell that raises, dies or takes too long is recorded as such and the others go on. A killed run is repeated to be
    continued. Ctrl-C lets the running cells finish, a second one does not.

    Raises:
        ValueError: the sweep is wrong, or one of its devices is not there; nothing has been written.
        StoreError: the folder cannot be written.
        ExecutorLost: no worker is left to compute the rest; what came before is kept.
    """
    torch.set_num_threads(1)
    cells = cells_of(sweep)
    with Interrupts(progress.say) as interrupts, executor or Serial() as who:
        who.check(list(dict.fromkeys(cell.device for cell in cells)))
        with Store.open(folder) as store:
            store.add_run(provenance(), [cell.key for cell in cells], asked(sweep), sources(sweep))
            run = _Run(sweep, cells, store, who, interrupts, progress)
            computed = run.measure(retry)
            computed |= run.time(retry) if sweep.timing.enabled else set()
    return _outcome(load(folder).cells, len(cells), len(computed), interrupts.requested)


def remaining(sweep: Sweep, folder: Path, retry: Collection[str] = ()) -> list[Cell]:
    """The cells whose statistics or timing `run` would compute. ValueError: the sweep is wrong."""
    cells, known = cells_of(sweep), states(folder)
    untimed = _untimed(cells, known, retry) if sweep.timing.enabled else []
    return list(dict.fromkeys([*_unmeasured(cells, known, retry), *untimed]))


@dataclass(frozen=True)
class _Run:
    sweep: Sweep
    cells: list[Cell]
    store: Store
    executor: Executor
    interrupts: Interrupts
    progress: Progress

    def measure(self, retry: Collection[str]) -> set[str]:
        """The keys of the cells whose statistics were computed."""
        missing = _unmeasured(self.cells, self.store.states(), retry)
        self.progress.start("measuring", len(missing))
        tasks = [Task(measure_cell, (cell,), (cell,)) for cell in missing]
        computed = set()
        for task, answer in self.executor.results(tasks, self.interrupts, tell=self.progress.doing):
            (cell,) = task.cells
            self._put(cell, answer)
            computed.add(cell.key)
            self.progress.advance(task.label)
        return computed

    def _put(self, cell: Cell, answer: Measured | Skipped | Failure) -> None:
        if isinstance(answer, Measured):
            self.store.put_statistics(cell, answer.row, self.sweep.timing.enabled, **answer.tables)
        elif isinstance(answer, Skipped):
            self.store.put_skipped(cell, answer.reason)
        else:
            self.store.put_failure(cell, answer.error, answer.status, answer.traceback, answer.attempts)

    def time(self, retry: Collection[str]) -> set[str]:
        """Time cells while nothing else of the sweep runs; the keys of the timed cells."""
        untimed = _untimed(self.cells, self.store.states(), retry)
        self.progress.start("timing", len(untimed))
        computed, lost = set(), []
        for task, answer in self._timings(_groups(untimed)):
            if isinstance(answer, Failure) and len(task.cells) > 1 and answer.status != "interrupted":
                lost += [(cell,) for cell in task.cells]  # one of them is to blame
            else:
                computed |= self._put_timings(task, answer)
        for task, answer in self._timings(lost):
            computed |= self._put_timings(task, answer)
        return computed

    def _timings(self, groups: Sequence[tuple[Cell, ...]]) -> Iterator[tuple[Task, list[Timing | Failure] | Failure]]:
        rounds, seconds = self.sweep.timing.rounds, self.store.seconds()
        tasks = [Task(time_cells, cells, (cells, rounds, [seconds[cell.key] for cell in cells])) for cells in groups]
        return self.executor.results(tasks, self.interrupts, alone=True, tell=self.progress.doing)

    def _put_timings(self, task: Task, answer: list[Timing | Failure] | Failure) -> set[str]:
        """Cells that were interrupted stay without timing."""
        answers = [answer] * len(task.cells) if isinstance(answer, Failure) else answer
        if isinstance(answer, Failure) and answer.status == "interrupted":
            return set()
        for cell, timing in zip(task.cells, answers, strict=True):
            if isinstance(timing, Failure):
                self.store.put_timing_failure(cell.key, timing.error, timing.status, timing.traceback)
                continue
            total_variance, mse = (Interval(*self.store.interval(cell.key, name)) for name in ("total_variance", "mse"))
            self.store.put_timing(cell.key, timing.columns(total_variance, mse), timing.rounds())
        self.progress.advance(f"{task.cells[0].problem} · S={task.cells[0].num_samples}", len(task.cells))
        return {cell.key for cell in task.cells}


def _unmeasured(cells: list[Cell], known: States, retry: Collection[str]) -> list[Cell]:
    again = {"interrupted", *retry}
    return [cell for cell in cells if cell.key not in known or known[cell.key][0] in again]


def _untimed(cells: list[Cell], known: States, retry: Collection[str]) -> list[Cell]:
    wanted = {"", "pending", *(set(FAILURES) & set(retry))}
    return [cell for cell in cells if known.get(cell.key, ("", ""))[0] == "done" and known[cell.key][1] in wanted]


def _groups(cells: list[Cell]) -> list[tuple[Cell, ...]]:
    """Cells that differ in the estimator alone, which are timed against each other."""

    def place(cell: Cell) -> tuple[object, ...]:
        return cell.problem, cell.num_samples, cell.device, cell.dtype

    return [tuple(group) for _, group in itertools.groupby(sorted(cells, key=place), key=place)]


def _outcome(cells: DataFrame, planned: int, computed: int, interrupted: bool) -> Outcome:
    found = list(zip(cells["status"], cells["timing_status"], strict=True))
    failed = sum(bool({*state} & FAILURES) for state in found)
    done = sum(status == "done" and timing not in FAILURES for status, timing in found)
    return Outcome(planned, computed, done, failed, sum(status == "skipped" for status, _ in found), interrupted)
