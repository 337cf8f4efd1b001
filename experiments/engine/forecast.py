"""How long a run will take, from a short measurement of a few of its cells."""

from collections.abc import Sequence

from experiments.engine.coordinator import Progress
from experiments.engine.executor import Concurrent, Executor, Interrupts, Task
from experiments.engine.experiment import Measured
from experiments.engine.work import Failure, experiment_of, measure_with_clock
from experiments.sweep import Cell
from experiments.timing.rounds import LATENCY, block_of

__all__ = ["forecast"]

PILOTS = 5
BLOCKS = 4
"""The blocks that the warm-up of a cell takes before it is timed."""


def forecast(
    cells: Sequence[Cell], rounds: int, executor: Executor, interrupts: Interrupts, progress: Progress
) -> float | None:
    """Seconds for the statistics of all cells and `rounds` rounds of timing, by an executor; None where no pilot works.

    The forecast misses what a pilot does not show: a reference that has to be measured first, or a kurtosis that grows.
    """
    pilots = cells[:: -(-len(cells) // PILOTS) or 1]
    tasks = [Task(measure_with_clock, (cell,), (experiment_of(cell).pilot(),)) for cell in pilots]
    seconds = []
    progress.start("estimating", len(tasks))
    for task, found in executor.results(tasks, interrupts, alone=True, tell=progress.doing):
        progress.advance(task.label)
        if isinstance(found, Failure):  # its worker died or was stopped
            continue
        answer, elapsed = found
        if not isinstance(answer, Failure):
            seconds.append(
                elapsed + (experiment_of(task.cells[0]).seconds_beyond(answer) if isinstance(answer, Measured) else 0.0)
            )
    if not seconds:
        return None
    workers = executor.capacity() if isinstance(executor, Concurrent) else 1
    statistics = sum(seconds) / len(seconds) * len(cells) / workers
    block = sum(block_of(one, LATENCY) for one in seconds) / len(seconds)
    timing = (2 * rounds + BLOCKS) * block
    return statistics + timing * len(cells) * bool(rounds)
