"""How long a run will take, from a short measurement of a few of its cells."""

from collections.abc import Sequence
from dataclasses import replace

from experiments.engine.executor import Concurrent, Executor, Interrupts, Task
from experiments.engine.work import Failure, Measured, measure_with_clock
from experiments.measuring.pace import FIRST_REPLICATES
from experiments.statistics import Interval, relative_half_width
from experiments.sweep import Cell, Stop
from experiments.timing.rounds import BLOCK_SECONDS

__all__ = ["forecast"]

PILOTS = 5
PILOT_SECONDS = 5.0
"""What a pilot takes at the most: of gradients that take long, fewer replicates tell the same."""
BLOCKS = 4
"""The blocks that the warm-up of a cell takes before it is timed."""


def forecast(cells: Sequence[Cell], rounds: int, executor: Executor, interrupts: Interrupts) -> float | None:
    """Seconds for the statistics of all cells and `rounds` rounds of timing, by an executor; None where no pilot works.

    An error that is to fall by a factor takes its square in replicates. The forecast misses what a pilot does not show:
    a reference that has to be measured first, or a kurtosis that grows.
    """
    pilots = cells[:: -(-len(cells) // PILOTS) or 1]
    tasks = [Task(measure_with_clock, (cell,), (_short(cell),)) for cell in pilots]
    seconds = []
    for task, found in executor.results(tasks, interrupts, alone=True):
        if isinstance(found, Failure):  # its worker died or was stopped
            continue
        answer, elapsed = found
        if not isinstance(answer, Failure):
            seconds.append(elapsed + (_longer(task.cells[0], answer) if isinstance(answer, Measured) else 0.0))
    if not seconds:
        return None
    workers = executor.capacity() if isinstance(executor, Concurrent) else 1
    statistics = sum(seconds) / len(seconds) * len(cells) / workers
    return statistics + (2 * rounds + BLOCKS) * BLOCK_SECONDS * len(cells) * bool(rounds)


def _short(cell: Cell) -> Cell:
    if cell.train is not None:
        return replace(cell, train=replace(cell.train, steps=min(cell.train.record, cell.train.steps)))
    stop = Stop(replicates=FIRST_REPLICATES, max_elements=cell.stop.max_elements, max_seconds=PILOT_SECONDS)
    return replace(cell, stop=stop)


def _longer(cell: Cell, pilot: Measured) -> float:
    """How many seconds more the cell takes than its pilot; fewer are below zero."""
    row, stop = pilot.row, cell.stop
    if cell.train is not None:
        return row["statistics_seconds"] * (cell.train.steps / max(row["steps"], 1) - 1)
    width = relative_half_width(Interval.of(row, "total_variance"))
    wanted = min(max(1.0, width / stop.rtol) ** 2 * row["replicates"], stop.max_replicates)
    seconds = row["statistics_seconds"] * (stop.replicates or wanted) / row["replicates"]
    return min(seconds, stop.max_seconds or float("inf")) - row["statistics_seconds"]
