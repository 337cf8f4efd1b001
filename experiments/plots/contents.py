"""What a run holds that a figure can show."""

import numpy as np
from pandas import DataFrame, Series

from experiments.analysis.series import find_series
from experiments.store import Run

__all__ = [
    "along_samples",
    "has_rates",
    "problems_in_series",
    "rounding_studied",
    "timed",
]

LEVELS = 4
"""The fewest numbers of samples from which a rate can be read."""
RANGE = 16
"""The least ratio of the largest number of samples to the smallest from which a rate can be read."""


def timed(cells: DataFrame) -> bool:
    """Whether the time of a gradient is known for one of the cells."""
    return bool(np.isfinite(cells["seconds_per_gradient"].astype(float)).any())


def along_samples(run: Run) -> bool:
    """Whether a figure against S has something to say, be it that no cell is done yet.

    Where all problems belong to a series along an option and S does not vary, each panel would have one point.
    """
    cells = run.measured
    if cells.empty:
        return run.done.empty
    return _levels(cells).map(len).max() > 1 or not set(cells["problem"]) <= problems_in_series(run)


def has_rates(run: Run) -> bool:
    """Whether the numbers of samples go far enough to read off how fast a variance falls."""
    levels = _levels(run.measured)
    return any(len(found) >= LEVELS and found.max() >= RANGE * found.min() for found in levels)


def problems_in_series(run: Run) -> set[str]:
    """The problems that differ from others of the run in one numeric option."""
    series = find_series(run.cells.query("steps.isna()")["problem"])
    return set() if run.measured.empty else {problem for one in series for problem in one.levels}


def rounding_studied(run: Run) -> bool:
    """Whether the gradients of a cell were compared with float64."""
    return bool(run.measured["diagnostics"].astype(object).str.contains('"underflows"', na=False).any())


def _levels(cells: DataFrame) -> Series:
    return cells.groupby(["problem", "estimator"])["num_samples"].unique()
