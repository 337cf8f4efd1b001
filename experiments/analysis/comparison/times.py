"""Times of two runs, set against how much slower the machine was."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.analysis.comparison.change import Change, from_logs
from experiments.statistics import log_median_standard_error
from experiments.store import Run

__all__ = ["Drift", "Times", "drifts", "relative", "times"]

LEAST_CELLS = 3
"""Whose code is the same, before times are judged: fewer do not tell what a machine does from run to run."""


class Times(NamedTuple):
    """The latency of a gradient in two runs, as it was measured."""

    before: float
    after: float
    log_error: float
    rounds: int
    devices: tuple[str, str]


class Drift(NamedTuple):
    """How much slower a device was in the second run, from cells whose code is the same in both."""

    device: str
    cells: int
    factor: float
    log_error: float
    """Standard error of the logarithm of a ratio beside `factor`: times vary so much from run to run."""


def times(one: dict[str, Any], two: dict[str, Any], before: Run, after: Run) -> Times | None:
    """The times of a cell; None where one side was not timed."""
    first, second = _rounds(before, one["key"]), _rounds(after, two["key"])
    if not (len(first) and len(second)):
        return None
    error = math.hypot(log_median_standard_error(first), log_median_standard_error(second))
    devices = one["device_name"] or "", two["device_name"] or ""
    return Times(float(np.median(first)), float(np.median(second)), error, min(len(first), len(second)), devices)


def drifts(unchanged: Sequence[Times]) -> dict[str, Drift]:
    """The drift of each device that has enough cells whose code is the same."""
    found = {}
    for device in dict.fromkeys(these.devices[0] for these in unchanged):
        logs = np.log([these.after / these.before for these in unchanged if set(these.devices) == {device}])
        if (size := len(logs)) >= LEAST_CELLS:
            error = float(np.std(logs, ddof=1)) * math.sqrt(1 + math.pi / (2 * size))  # of the median, and of a cell
            found[device] = Drift(device, size, float(np.exp(np.median(logs))), error)
    return found


def relative(these: Times, drifts: dict[str, Drift], *, judged: bool) -> Change:
    """The change of a time beside that of the machine; not judged without a yardstick, or on another machine."""
    before, after = these.devices
    drift = drifts.get(before) if before == after else None
    logarithm = math.log(these.after / these.before)
    if drift is None:
        return from_logs(these.before, these.after, logarithm, these.log_error, these.rounds - 1)._replace(gated=False)
    error, freedom = math.hypot(these.log_error, drift.log_error), min(these.rounds, drift.cells) - 1
    change = from_logs(these.before, these.after, logarithm - math.log(drift.factor), error, freedom)
    return change._replace(gated=judged)


def _rounds(run: Run, key: str) -> np.ndarray:
    mine = (run.timings["key"] == key) & (run.timings["kind"] == "latency")
    return run.timings.loc[mine, "seconds"].to_numpy()
