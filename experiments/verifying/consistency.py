"""Whether the figures of a cell follow from what is kept beside them: of every cell, without computing it anew.

Who edits a variance has to edit its groups, its entries and its products with time, too; what is then left is found by
other noise.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from estimators.interface import Estimator, Problem
from experiments.statistics import ALPHA, TOLERANCE, Interval, log_jackknife, sample_mean, work_normalized
from experiments.store import Run
from experiments.store.columns import Row, records, stored

__all__ = ["misfits", "misstated"]

ARITHMETIC = 1e-6
"""Relative differences that another machine's arithmetic may make."""
CURVED = 1e-3
"""How far the mean of leave-one-out values may be from the value: its terms of second order."""
WORK = (("total_variance", "work_normalized_variance"), ("mse", "work_normalized_mse"))
STILL = 1e-8
"""Variances are rounding where they are so small beside the squared mean: what is left of those of entries is 0."""
INTERVALS = [name for name in stored() if {*Interval.columns(name)} <= {*stored()}]


def misfits(run: Run) -> list[tuple[Row, str]]:
    """The cells that contradict themselves, each with what does."""
    timings = run.timings.query("kind == 'latency'").groupby("key")["seconds"] if len(run.timings) else []
    rounds = {str(key): seconds.to_numpy(float) for key, seconds in timings}
    entries = _Entries.of(run)
    with np.errstate(all="ignore"):  # nobody knows what is kept there
        return [(row, told) for row in records(run.done) for told in _misfits(row, run, entries, rounds)]


def misstated(row: Row, problem: Problem, estimator: Estimator) -> Iterator[str]:
    """What a cell says of its components, and these do not."""
    for name, made in (("problem", problem), ("estimator", estimator)):
        if row[name] != made.spec:
            yield f"{name} {row[name]!r} is written {made.spec!r}"
    for name in ("evaluations", "claim"):
        if row[name] is not None and row[name] != (own := getattr(estimator, name)(problem, row["num_samples"])):
            yield f"{name} is {row[name]}, and here {own}"


@dataclass(frozen=True)
class _Entries:
    """Sums over the entries of the parameters of each cell, by its key."""

    variance: Mapping[str, float]
    reference: Mapping[str, float]
    """Squares of the reference gradient. Both are those of cells whose entries are kept one by one."""
    signals: Mapping[str, float]
    """Total variances of the parameters."""
    means: Mapping[str, float]
    """Squares of the means."""

    @classmethod
    def of(cls, run: Run) -> "_Entries":
        each = run.parameters.assign(**{name: run.parameters[name] ** 2 for name in ("reference", "mean")})
        tensors: Any = each.loc[each["index"].isna(), "key"]
        single = each[~each["key"].isin(tensors.tolist())]
        sums = {name: _sums(single, name) for name in ("variance", "reference", "mean")}
        return cls(sums["variance"], sums["reference"], _sums(run.signals, "total_variance"), sums["mean"])


def _sums(frame: Any, name: str) -> dict[str, float]:
    """The sum of a column for each cell of which all is known."""
    found = frame.groupby("key")[name]
    return {str(key): float(one) for key, values in found if math.isfinite(one := values.to_numpy(float).sum())}


def _misfits(row: Row, run: Run, entries: _Entries, rounds: Mapping[str, np.ndarray]) -> Iterator[str]:
    for name in INTERVALS:
        ends = Interval.of(row, name)
        if None in ends and ends != (None, None, None):
            yield f"{name} has not all of its interval"
            return
    if row["optimizer"] is None:
        yield from _of_figures(row, run, entries)
    else:
        yield from _of_training(row, run.traces[run.traces["key"] == row["key"]])
    if row["p_value"] is not None and (row["verdict"] == "biased") != (row["p_value"] < ALPHA):
        yield f"the verdict {row['verdict']} does not follow from its p-value"
    if row["seconds_per_gradient"] is not None:
        yield from _of_times(row, rounds.get(row["key"]))


def _of_figures(row: Row, run: Run, entries: _Entries) -> Iterator[str]:
    variance, error, squared_bias = row["total_variance"], row["mse"], row["squared_bias"]
    bias = [name for name in ("mse", "squared_bias", "p_value", "gradient_norm") if row[name] is not None]
    if bias and (row["reference"] == "none" or variance is None):
        yield f"it has {bias[0]}, and no {'reference' if row['reference'] == 'none' else 'total_variance'}"
    if row["verdict"] in ("unbiased", "undetermined") and row["p_value"] is None:
        yield f"the verdict {row['verdict']} has no p-value"
    if row["verdict"] == "unbiased" and not (row["detectable_bias"] or 0.0) <= TOLERANCE:
        yield f"the verdict unbiased does not follow from a detectable_bias of {row['detectable_bias']:.2g}"
    if not variance or not math.isfinite(variance):  # where nothing varies, rounding decides the others
        return
    for name in ("total_variance", "mse"):
        if row[name] is not None and not _follows(Interval.of(row, name), run.logs.get((row["key"], name))):
            yield f"{name} does not follow from its groups"
    is_still = variance <= STILL * entries.means.get(row["key"], 0.0)
    for what, sums in (("entries", entries.variance), ("parameters", entries.signals)):
        if not is_still and not _near(variance, sums.get(row["key"], variance)):
            yield f"total_variance is not the sum over its {what}"
    if error is not None and not (squared_bias is not None and _near(error, variance + squared_bias)):
        yield "mse is not total_variance plus squared_bias"
    norm = row["gradient_norm"]
    if norm is not None and not _near(norm, math.sqrt(entries.reference.get(row["key"], norm**2))):
        yield "gradient_norm is not that of the reference"


def _of_training(row: Row, traces: Any) -> Iterator[str]:
    if row["diverged"] != (traces["quantity"] == "diverged").sum():
        yield "its curves tell of other seeds that diverged"
    last = traces[(traces["quantity"] == "objective") & (traces["step"] == row["steps"])]["value"].to_numpy(float)
    if not row["diverged"] and len(last) != row["replicates"]:
        yield "its curves are of other seeds than its objective"
    kept = Interval.of(row, "objective")
    if None not in kept and not all(map(_near, kept, sample_mean(last))):
        yield "objective is not the mean of its curves"


def _of_times(row: Row, seconds: np.ndarray | None) -> Iterator[str]:
    kept = Interval.of(row, "seconds_per_gradient")
    if seconds is None or not all(map(_near, kept, np.quantile(seconds, [0.5, 0.25, 0.75]).tolist())):
        yield "seconds_per_gradient is not the median of its rounds"
        return
    for quantity, product in WORK:
        told, found = Interval.of(row, product), Interval.of(row, quantity)
        if (None in told) != (None in found):
            yield f"{product} is there without {quantity}, or the reverse"
        elif None not in told and not all(map(_near, told, work_normalized(found, seconds))):
            yield f"{product} is not {quantity} times its time"


def _follows(kept: Interval, logs: np.ndarray | None) -> bool:
    """Whether a figure and its interval are those of its values without a group each, where all are positive."""
    if logs is None or kept.value <= 0:
        return logs is None and kept.low <= 0
    values = np.exp(logs)
    near = abs(float(values.mean()) / kept.value - 1) < CURVED
    return near and all(map(_near, kept, log_jackknife(kept.value, values)))


def _near(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= ARITHMETIC * max(abs(one), abs(other))
