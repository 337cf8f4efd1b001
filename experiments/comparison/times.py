"""Times of two runs, set against how much slower the machine was."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.comparison.change import Change, from_logs
from experiments.statistics import log_median_standard_error
from experiments.store import Run

__all__ = ["Drift", "Times", "drift", "relative", "times"]


class Times(NamedTuple):
    """The latency of a gradient in two runs, as it was measured."""

    before: float
    after: float
    log_error: float
    rounds: int
    same_device: bool


class Drift(NamedTuple):
    """How much slower the machine was in the second run, from cells whose code is the same in both."""

    cells: int
    factor: float
    log_error: float
    """Standard deviation of the logarithms of their ratios: what times vary by from run to run."""


def times(one: dict[str, Any], two: dict[str, Any], before: Run, after: Run) -> Times | None:
    """Of a cell; None where one side was not timed."""
    first, second = _rounds(before, one["key"]), _rounds(after, two["key"])
    if not (len(first) and len(second)):
        return None
    error = math.hypot(log_median_standard_error(first), log_median_standard_error(second))
    rounds, same_device = min(len(first), len(second)), one["device_name"] == two["device_name"]
    return Times(float(np.median(first)), float(np.median(second)), error, rounds, same_device)


def drift(unchanged: Sequence[Times]) -> Drift:
    """From the times of cells whose code is the same."""
    logs = np.log([these.after / these.before for these in unchanged if these.same_device])
    if not len(logs):
        return Drift(0, 1.0, 0.0)
    return Drift(len(logs), float(np.exp(np.median(logs))), float(np.std(logs, ddof=1)) if len(logs) > 1 else 0.0)


def relative(these: Times | None, drift: Drift, *, judged: bool) -> Change | None:
    """The change of a time beside that of the machine."""
    if these is None:
        return None
    shift = math.log(these.after / these.before / drift.factor)
    change = from_logs(these.before, these.after, shift, math.hypot(these.log_error, drift.log_error), these.rounds - 1)
    return change._replace(gated=these.same_device and judged)


def _rounds(run: Run, key: str) -> np.ndarray:
    mine = (run.timings["key"] == key) & (run.timings["kind"] == "latency")
    return run.timings.loc[mine, "seconds"].to_numpy()
