"""Whether the figures of a cell follow from what is kept beside them: of every cell, without computing it anew.

Who edits a variance has to edit its groups too, and its products with time; what is then left is found by other noise.
"""

import math
from collections.abc import Iterator

import numpy as np

from experiments.statistics import ALPHA, Interval, log_jackknife, work_normalized
from experiments.store import Run
from experiments.store.columns import Row, records

__all__ = ["misfits"]

ARITHMETIC = 1e-6
"""Relative differences that another machine's arithmetic may make."""
CURVED = 1e-3
"""How far the mean of leave-one-out values may be from the value: its terms of second order."""
WORK = (("total_variance", "work_normalized_variance"), ("mse", "work_normalized_mse"))


def misfits(run: Run) -> list[tuple[Row, str]]:
    """The cells that contradict themselves, each with what does."""
    timings = run.timings.query("kind == 'latency'").groupby("key")["seconds"] if len(run.timings) else []
    rounds = {str(key): seconds.to_numpy(float) for key, seconds in timings}
    with np.errstate(all="ignore"):  # nobody knows what is kept there
        return [(row, told) for row in records(run.done) for told in _misfits(row, run, rounds.get(row["key"]))]


def _misfits(row: Row, run: Run, seconds: np.ndarray | None) -> Iterator[str]:
    for name in ("total_variance", "mse"):
        if row["total_variance"] and not _follows(Interval.of(row, name), run.logs.get((row["key"], name))):
            yield f"{name} does not follow from its groups"
    if row["p_value"] is not None and (row["verdict"] == "biased") != (row["p_value"] < ALPHA):
        yield f"the verdict {row['verdict']} does not follow from its p-value"
    if row["seconds_per_gradient"] is None:
        return
    if seconds is None or not _near(row["seconds_per_gradient"], float(np.median(seconds))):
        yield "seconds_per_gradient is not the median of its rounds"
        return
    for quantity, product in WORK:
        kept, found = Interval.of(row, product), Interval.of(row, quantity)
        if None not in (*kept, *found) and not all(map(_near, kept, work_normalized(found, seconds))):
            yield f"{product} is not {quantity} times its time"


def _follows(kept: Interval, logs: np.ndarray | None) -> bool:
    """Whether a figure and its interval are those of its values without a group each, where it has an interval."""
    if None in kept or not (kept.low > 0 and math.isfinite(kept.high)):
        return True
    if logs is None or len(logs) < 2:
        return False
    values = np.exp(logs)
    return abs(float(values.mean()) / kept.value - 1) < CURVED and all(
        map(_near, kept, log_jackknife(kept.value, values))
    )


def _near(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= ARITHMETIC * max(abs(one), abs(other))
