"""What the tables of a report show, and in which words and digits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from pandas import DataFrame

from experiments.terminal.numbers import time_unit

__all__ = ["CELLS", "Column", "Row", "duration", "interval", "number", "records", "text"]

Row = dict[str, Any]  # a row of the `cells` frame; None where it has no value

MISSING = "\N{EN DASH}"
LAUNCH_BOUND = 2.0
"""Wall time over the time of the kernels, above which a gradient mostly waits for its kernels to be launched."""


def records(frame: DataFrame) -> list[Row]:
    """The rows of a frame, with None for every kind of missing value."""
    values = frame.astype(object)
    return values.where(values.notna(), None).to_dict("records")


def text(row: Row, name: str) -> str:
    return MISSING if row[name] in (None, "") else str(row[name])


def number(row: Row, name: str) -> str:
    """A count as it is, anything else with three significant digits."""
    return _digits(row[name])


def interval(row: Row, name: str) -> str:
    """`value [low, high]`, or the value alone where it has no bounds."""
    return _interval(*(row[name + end] for end in ("", "_low", "_high")))


def duration(row: Row, name: str) -> str:
    """Seconds, with their interval if there is one, in the unit that suits them."""
    seconds = row[name]
    if seconds is None:
        return MISSING
    unit, scale = time_unit(seconds)
    low, high = (None if row.get(name + end) is None else row[name + end] / scale for end in ("_low", "_high"))
    return f"{_interval(seconds / scale, low, high)} {unit}"


def _kernels(row: Row, name: str) -> str:
    seconds, kernels = row["seconds_per_gradient"], row[name]
    bound = None not in (seconds, kernels) and seconds > LAUNCH_BOUND * kernels
    return duration(row, name) + " (launch-bound)" * bound


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return _digits(value)
    return f"{_digits(value)} [{_digits(low)}, {_digits(high)}]"


def _digits(value: float | None) -> str:
    if value is None:
        return MISSING
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if 999.5 <= abs(value) < 99_999.5 else f"{value:.3g}".replace("inf", "∞")


def _estimator(row: Row, name: str) -> str:
    return f"{row[name]} (conditional on its fit)" if row["fitted"] else row[name]


def _megabytes(row: Row, name: str) -> str:
    return MISSING if row[name] is None else f"{row[name] / 1e6:,.1f}"


def _diagnostics(row: Row, name: str) -> str:
    try:
        means = json.loads(row[name] or "{}").items()
        return ", ".join(f"{key} {_digits(mean)}" for key, mean in means) or MISSING
    except (ValueError, TypeError, AttributeError):  # written by something else: show what is there
        return str(row[name])


class Column(NamedTuple):
    heading: str
    name: str  # of the value
    form: Callable[[Row, str], str] = text

    def show(self, row: Row) -> str:
        return self.form(row, self.name)

    @property
    def numeric(self) -> bool:
        """Whether the column is sorted by its values, and not by what it shows."""
        return self.form in (number, interval, duration, _kernels, _megabytes)


ESTIMATOR = Column("estimator", "estimator", _estimator)
SAMPLES = Column("S", "num_samples", number)
CELLS = [  # a report leaves out those in which no cell has a value
    ESTIMATOR,
    Column("problem", "problem"),
    SAMPLES,
    Column("device", "device"),
    Column("dtype", "dtype"),
    Column("verdict", "verdict"),
    Column("claim", "claim"),
    Column("training", "training"),
    Column("steps", "steps", number),
    Column("diverged seeds", "diverged", number),
    Column("last objective", "objective", interval),
    Column("total variance [cost²/parameter²]", "total_variance", interval),
    Column("squared bias [cost²/parameter²]", "squared_bias", interval),
    Column("MSE [cost²/parameter²]", "mse", interval),
    Column("SNR", "snr", interval),
    Column("cosine", "cosine", interval),
    Column("detectable bias, relative", "detectable_bias", number),
    Column("p-value", "p_value", number),
    Column("time per gradient", "seconds_per_gradient", duration),
    Column("… batched", "seconds_per_gradient_batched", duration),
    Column("… in kernels of the GPU", "kernel_seconds_per_gradient", _kernels),
    Column("variance × time [cost² s/parameter²]", "work_normalized_variance", interval),
    Column("MSE × time [cost² s/parameter²]", "work_normalized_mse", interval),
    Column("evaluations of the cost", "evaluations", number),
    Column("variance × evaluations [cost²/parameter²]", "evaluation_normalized_variance", interval),
    Column("replicates", "replicates", number),
    Column("stopped by", "stop_reason"),
    Column("non-finite replicates", "nonfinite", number),
    Column("kurtosis", "kurtosis", number),
    Column("reference", "reference"),
    Column("peak memory [MB]", "peak_memory_bytes", _megabytes),
    Column("diagnostics", "diagnostics", _diagnostics),
    Column("seed", "seed", number),
    Column("compiled", "compile"),
    Column("time to compile", "compile_seconds", duration),
    Column("machine", "device_name"),
]
