"""The experiment that measures bias, variance and time of an estimator at one point."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import final

from estimators.interface import Unsupported
from experiments.engine.experiment import Experiment, Measured, Skipped
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.batch_share import with_batch_share
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import extend
from experiments.measuring.moments import Sampling
from experiments.measuring.pace import FIRST_REPLICATES
from experiments.measuring.rounding import rounding
from experiments.measuring.stop import SPARE, Stop
from experiments.statistics import TOLERANCE, Interval, relative_half_width
from experiments.sweep import Cell
from experiments.terminal.telling import Tell
from experiments.timing.rounds import LATENCY, Timed

__all__ = ["Measure", "measured"]

LARGEST = 2**63 - 1
PILOT_SECONDS = 5.0
"""What a pilot takes at the most: of gradients that take long, fewer replicates tell the same."""
POINT = ("estimator", "problem", "num_samples", "batch", "order", "device", "dtype", "seed")


@final
class Measure(Experiment):
    """An error that is to fall by a factor takes its square in replicates, which is what is forecast."""

    def pilot(self) -> Cell:
        stop = Stop(replicates=FIRST_REPLICATES, max_elements=self.cell.stop.max_elements, max_seconds=PILOT_SECONDS)
        return replace(self.cell, stop=stop)

    def seconds_beyond(self, pilot: Measured) -> float:
        row, stop = pilot.row, self.cell.stop
        width = relative_half_width(Interval.of(row, "total_variance"))
        wanted = min(max(1.0, width / stop.rtol) ** 2 * row["replicates"], stop.max_replicates)
        settled = SPARE * ((row["detectable_bias"] or 0.0) / TOLERANCE) ** 2 * row["replicates"]
        if settled * self._elements <= (stop.settle_elements or 0):
            wanted = max(wanted, settled)
        seconds = row["statistics_seconds"] * (stop.replicates or wanted) / row["replicates"]
        return min(seconds, stop.max_seconds or float("inf")) - row["statistics_seconds"]

    def statistics(self, tell: Tell) -> Measured | Skipped:
        return measured(self.cell, lambda: self._workload, tell)

    def timed(self, measured: float) -> Timed:
        return Timed.of(self._workload, measured, LATENCY)

    @property
    def _elements(self) -> int:
        problem, _, num_samples = self.components
        return num_samples * problem.initial_distribution.event_shape.numel()

    @property
    def _workload(self) -> Workload:
        cell = self.cell
        return prepare(*self.components, **self.place, compile=cell.compile, batch=cell.batch, order=cell.order)


def measured(cell: Cell, prepared: Callable[[], Workload], tell: Tell) -> Measured | Skipped:
    """The statistics of a cell, with the workload that a function prepares."""
    tell("preparing", math.inf)
    try:
        workload = prepared()
        sampling = Sampling(workload, find_reference(workload, tell) if cell.reference else None)
        measurement = with_batch_share(extend(sampling, cell.stop, tell), sampling.workload)
    except Unsupported as unsupported:
        return Skipped(str(unsupported))
    if cell.rounding:
        tell("comparing with float64", math.inf)
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
