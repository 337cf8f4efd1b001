"""Measure published figures, each as closely as it was read."""

import math
import time
from collections.abc import Iterator, Sequence

from estimators.interface import Unsupported
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.machine.errors import reason
from experiments.measuring.clock import Clock
from experiments.measuring.doubling import reach
from experiments.measuring.find_reference import known_at_once
from experiments.measuring.loop import extend
from experiments.measuring.measurement import Measurement
from experiments.measuring.moments import Sampling
from experiments.measuring.pace import FIRST_REPLICATES
from experiments.measuring.stop import MAX_REPLICATES, Stop
from experiments.reproduction.figures import Figure
from experiments.reproduction.found import Found, half_width, target
from experiments.reproduction.quantities import quantity
from experiments.statistics import Interval
from experiments.sweep import Cell, Published
from experiments.terminal.telling import Tell, about, untold

__all__ = ["reproduce"]

SPARE = 1.1
"""Replicates beyond those that the precision is expected to take."""
LEAST, MOST = 1.2, 10.0
"""The factors by which replicates grow."""


def reproduce(figures: Sequence[Figure], seconds: float = math.inf, tell: Tell = untold) -> Iterator[Found]:
    """The figures as they are measured here; those of the same cells come together.

    Args:
        seconds: a budget for the figures of the same cells; what is too wide then stays undecided.
        tell: is told what is being done, and when it ends.
    """
    together: dict[tuple[Cell, ...], list[Figure]] = {}
    for figure in figures:
        together.setdefault(figure.cells, []).append(figure)
    for cells, of_cells in together.items():
        yield from _found(cells, of_cells, seconds, tell)


def _found(cells: tuple[Cell, ...], figures: list[Figure], seconds: float, tell: Tell) -> list[Found]:
    try:
        measurements = _measured(cells, [figure.row for figure in figures], seconds, tell)
    except Unsupported as unsupported:
        return [Found(figure, None, reason=str(unsupported)) for figure in figures]
    except Exception as error:
        return [Found(figure, None, reason=reason(error)) for figure in figures]
    replicates = max(one.replicates for one in measurements)
    return [Found(figure, quantity(measurements, figure.row), replicates) for figure in figures]


def _measured(cells: tuple[Cell, ...], rows: list[Published], seconds: float, tell: Tell) -> list[Measurement]:
    """Measurements of so many replicates that every row is known closely enough, or the seconds are over."""
    ends = time.monotonic() + seconds
    samplings = [_sampling(cell, tell) for cell in cells]
    goal = FIRST_REPLICATES
    while True:
        found = [_extended(one, goal, ends, tell) for one in samplings]
        factor = max(_factor(row, quantity(found, row)) for row in rows)
        short = any(one.replicates < goal or one.nonfinite for one in found)
        if factor <= 1 or short or goal == MAX_REPLICATES:
            return found
        goal = min(math.ceil(goal * factor), MAX_REPLICATES)


def _extended(sampling: Sampling, goal: int, ends: float, tell: Tell) -> Measurement:
    """A measurement of so many replicates, or of those that there is time for.

    Chunks grow with what there is, so that neither a slow cost is met by a large one, nor does a clock decide the
    numbers.
    """
    tell = about(_label(sampling.workload.estimator.spec, sampling.workload.problem.spec), tell)
    began = time.monotonic()
    clock = Clock(began, None if math.isinf(ends) else max(ends - began, 0.0), tell)
    while sampling.replicates < goal and not clock.is_over(sampling.replicates):
        reach(sampling, sampling.replicates + 1)
        clock.told(sampling.replicates, goal)
    return extend(sampling, Stop(replicates=sampling.replicates), tell)


def _factor(row: Published, measured: Interval) -> float:
    """By how much the replicates have to grow: the square of what an error has to fall by; 1: they suffice."""
    half, wanted = half_width(measured), target(row, measured)
    if half <= wanted:
        return 1.0
    factor = SPARE * (half / wanted) ** 2
    return min(max(factor, LEAST), MOST) if math.isfinite(factor) else MOST


def _sampling(cell: Cell, tell: Tell) -> Sampling:
    tell(f"preparing · {_label(cell.estimator, cell.problem)}", math.inf)
    place = {"seed": cell.seed, "device": cell.device, "dtype": cell.dtype, "compile": cell.compile}
    workload = prepare(
        make_problem(cell.problem),
        make_estimator(cell.estimator),
        cell.num_samples,
        **place,
        batch=cell.batch,
        order=cell.order,
    )
    return Sampling(workload, known_at_once(workload) if cell.reference else None)


def _label(estimator: str, problem: str) -> str:
    return f"{problem} · {estimator}"
