"""How long a run will take, from a short measurement of a few of its cells."""

import time
from collections.abc import Sequence
from dataclasses import replace

from experiments.engine.work import Failure, Skipped, measure_cell
from experiments.measuring import FIRST_REPLICATES
from experiments.statistics import Interval, relative_half_width
from experiments.sweep import Cell, Stop
from experiments.timing import BLOCK_SECONDS

__all__ = ["forecast"]

PILOTS = 5
BLOCKS = 4
"""In the warm-up of a cell before it is timed."""


def forecast(cells: Sequence[Cell], rounds: int) -> float | None:
    """Seconds of computing for the statistics of all cells, and `rounds` rounds of timing; None where no pilot works.

    A relative error that has to fall by a factor takes its square in replicates. What a pilot does not show, a
    reference that has to be measured first or a kurtosis that grows, is not in it.
    """
    pilots = cells[:: -(-len(cells) // PILOTS) or 1]
    seconds = [found for cell in pilots if (found := _seconds(cell, rounds)) is not None]
    return sum(seconds) / len(seconds) * len(cells) if seconds else None


def _seconds(cell: Cell, rounds: int) -> float | None:
    stop = cell.stop
    began = time.monotonic()
    answer = measure_cell(replace(cell, stop=Stop(replicates=FIRST_REPLICATES, max_elements=stop.max_elements)))
    elapsed = time.monotonic() - began
    if isinstance(answer, Skipped):
        return elapsed
    if isinstance(answer, Failure):
        return None
    row = answer.row
    width = relative_half_width(Interval(*(row[f"total_variance{end}"] for end in ("", "_low", "_high"))))
    wanted = min(max(1.0, width / stop.rtol) ** 2 * row["replicates"], stop.max_replicates)
    factor = (stop.replicates or wanted) / row["replicates"]
    sampling = min(row["statistics_seconds"] * factor, stop.max_seconds or float("inf"))
    timing = (2 * rounds + BLOCKS) * BLOCK_SECONDS if rounds else 0.0
    return elapsed - row["statistics_seconds"] + sampling + timing
