"""Which kinds of figure have something to say about a run."""

from __future__ import annotations

import numpy as np
from pandas import DataFrame

from experiments.analysis.evaluations import differ_from_samples
from experiments.analysis.objectives import aside
from experiments.analysis.series import find_series

__all__ = ["suitable"]

LEVELS, RANGE = 4, 16
"""The numbers of samples, and the ratio of the largest to the smallest, from which a rate can be read."""


def suitable(cells: DataFrame) -> list[str]:
    """Kinds, in the order in which they are shown.

    Where all problems belong to a series along an option and S does not vary, figures against S would have a point a
    panel; `rates` shows what `variance` shows. Without reference gradients there is no bias, and what the run is about
    is the signal-to-noise of each parameter. Training comes last.
    """
    done = cells.query("status == 'done'") if "status" in cells else DataFrame()
    if done.empty:
        return ["variance", "bias", "variance-time"]
    trained, measured = done.query("steps.notna()"), done.query("steps.isna()")
    kinds = [] if measured.empty else _of_measured(measured, cells.query("steps.isna()"))
    return kinds if trained.empty else kinds + ["training", "training-time"][: 1 + _timed(trained)]


def _of_measured(done: DataFrame, cells: DataFrame) -> list[str]:
    timed = _timed(done)
    in_series = {problem for one in find_series(cells["problem"]) for problem in one.levels}
    levels = done.groupby(["problem", "estimator"])["num_samples"].unique()
    along_samples = levels.map(len).max() > 1 or not set(done["problem"]) <= in_series
    has_rates = any(len(found) >= LEVELS and found.max() >= RANGE * found.min() for found in levels)
    referenced = set(done["reference"]) != {"none"}
    studied = done["diagnostics"].str.contains('"underflows"', na=False).any()
    chosen = {
        "option": bool(in_series),
        "rates": has_rates,
        "variance": along_samples and not has_rates,
        "signals": has_rates and not referenced,
        "bias": along_samples and referenced,
        "variance-time": along_samples and timed,
        "variance-evaluations": along_samples and differ_from_samples(done),
        "work": along_samples and timed and _crossed(done),
        "rounding": bool(in_series) and studied,
        "range": bool(in_series) and studied,
    }
    return [kind for kind, suits in chosen.items() if suits]


def _timed(done: DataFrame) -> bool:
    return bool(np.isfinite(done["seconds_per_gradient"].astype(float)).any())


def _crossed(done: DataFrame) -> bool:
    """Several estimators on several problems, so that a map of them has something to compare."""
    ranked = done[done["estimator"].map(aside) == ""]
    return len(set(ranked["estimator"])) > 1 and len(set(ranked["problem"])) > 1
