"""Values of a bundle that no measurement has: what is computed with them would fail, or mislead."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from experiments.statistics import GROUPS, Interval
from experiments.store.bundles.tables import FILES

__all__ = ["out_of_range"]

NOT_NEGATIVE = {
    "cells": (
        *("replicates", "nonfinite", "evaluations", "attempts", "steps", "diverged", "gradient_norm", "p_value"),
        *("detectable_bias", "statistics_seconds", "total_variance", "mse", "snr", "seconds_per_gradient"),
        *("seconds_per_gradient_batched", "work_normalized_variance", "work_normalized_mse"),
    ),
    "parameters": ("variance",),
    "signals": ("total_variance", "snr"),
    "timings": ("round", "seconds"),
}
WORDS = {"claim": {"biased", "unbiased"}, "verdict": {"biased", "unbiased", "undetermined"}}
ROUNDING = 1e-6
"""Relative: what the rounding of float32 leaves of an order."""


def out_of_range(frames: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the tables, each by its file."""
    for table, frame in frames.items():
        for column in NOT_NEGATIVE.get(table, ()):
            if (frame[column] < 0).fillna(False).any():
                yield f"{FILES[table]}: {column} is negative"
        for name in _intervals(frame):
            value, low, high = (frame[column].astype(float).to_numpy() for column in Interval.columns(name))
            slack = ROUNDING * np.abs(value)
            if (low > value + slack).any() or (value > high + slack).any():
                yield f"{FILES[table]}: {name} is not in its interval"
    yield from _of_cells(frames["cells"], frames["timings"])
    logs = (np.frombuffer(blob, "<f8") for blob in frames["leave_one_out"]["logs"])
    if any(len(one) != GROUPS or not np.isfinite(one).all() for one in logs):
        yield f"{FILES['leave_one_out']}: logs of other than {GROUPS} groups"


def _intervals(frame: Any) -> list[str]:
    return [name for name in frame if {*Interval.columns(str(name))} <= {*frame}]


def _of_cells(cells: Any, timings: Any) -> Iterator[str]:
    for column in ("estimator", "problem", "device", "dtype", "target", "optimizer", "device_name", "reference"):
        if not all(text.isprintable() for text in cells[column].dropna()):
            yield f"cells.jsonl: {column} has several lines"
    for column, words in WORDS.items():
        if unknown := sorted(set(cells[column].dropna()) - words):
            yield f"a cell has the {column} {unknown[0]!r}, which is none"
    done = cells[cells["status"] == "done"]
    least = done["optimizer"].isna().map({True: GROUPS, False: 1})
    if not (done["replicates"] >= least).fillna(False).all():
        yield "a cell that is done has too few replicates"
    timed = cells[cells["key"].isin(timings["key"].unique()) | cells["seconds_per_gradient"].notna()]
    if timed["device_name"].isna().any():
        yield "a cell that was timed has no device_name"
