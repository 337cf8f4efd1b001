"""The columns of `cells`: one row here says how a figure is stored, and how tables show it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pandas import DataFrame

from experiments.statistics import Interval
from experiments.terminal.numbers import interval, megabytes, number, percent, seconds
from experiments.terminal.words import bias, rescaled

__all__ = ["COLUMNS", "Column", "Row", "records", "rescaling", "stored"]

Row = dict[str, Any]
"""A row of `cells`; None where it has no value."""
Part = Literal["point", "state", "settings", "statistics", "training", "timing", "machine", "derived"]
LAUNCH_BOUND = 2.0
"""Wall time over the time of the kernels, above which a gradient mostly waits for its kernels to be launched."""


def text(value: Any) -> str:
    """The form of a column of text."""
    return "" if value is None else str(value)


def listed(value: str | None) -> str:
    """The form of a JSON object of numbers."""
    try:
        return ", ".join(f"{key} {number(mean)}" for key, mean in json.loads(value or "{}").items())
    except (ValueError, TypeError, AttributeError):  # written by something else: show what is there
        return str(value)


@dataclass(frozen=True)
class Column:
    """A figure of a cell, or a text, as it is stored and shown."""

    name: str
    part: Part = "derived"
    """The part of a cell that it belongs to; derived columns are in no file (`experiments.store.derived`)."""
    sql: str = ""
    """The type in the file; '' for a derived column."""
    heading: str = ""
    """The heading in the table of cells; '' where that leaves the column out."""
    unit: str = ""
    form: Callable[..., str] = text
    """The text of a value, or of an interval; '' where there is none."""
    has_interval: bool = False
    """Whether an interval stands in two columns beside it (`Interval.columns`): of 95 %, for times the quartiles."""
    note: Callable[[Row], str] | None = None
    """A function whose text follows that of the value, in some rows."""

    @property
    def names(self) -> tuple[str, ...]:
        """The column in the file and in frames, with those of its interval."""
        return Interval.columns(self.name) if self.has_interval else (self.name,)

    @property
    def title(self) -> str:
        """The heading with the unit."""
        return f"{self.heading} [{self.unit}]" if self.unit else self.heading

    @property
    def numeric(self) -> bool:
        """Whether a table is sorted by the values, and not by their text."""
        return self.form not in (text, listed)

    def show(self, row: Row) -> str:
        """The text of a row's value; '' where there is none."""
        shown = self.form(*(row[name] for name in self.names))
        return shown + self.note(row) if shown and self.note else shown


def _conditional(row: Row) -> str:
    return " (conditional on its fit)" if row["fitted"] else ""


def _launch_bound(row: Row) -> str:
    wall, kernels = row["seconds_per_gradient"], row["kernel_seconds_per_gradient"]
    return " (launch-bound)" if wall is not None and wall > LAUNCH_BOUND * kernels else ""


def rescaling(row: Row) -> str:
    """Of a cell that is biased whether its mean is a multiple of the gradient, in words; '' elsewhere."""
    found = [Interval.of(row, name) for name in ("scale", "mean_cosine")]
    return "" if any(None in one for one in found) else rescaled(row["verdict"], *found)


def _rescaled(row: Row) -> str:
    return f" ({told})" if (told := rescaling(row)) else ""


def _relative(*interval: Any) -> str:
    """The form of a bias relative to the gradient."""
    return "" if None in interval else bias(Interval(*interval))


def _figure(name: str, part: Part, heading: str, unit: str = "", form: Callable[..., str] = interval) -> Column:
    """A row for a figure with an interval."""
    return Column(name, part, "REAL" if part != "derived" else "", heading, unit, form, has_interval=True)


SQUARED, WORK = "cost²/parameter²", "cost² s/parameter²"
ROWS = (
    Column("key", "point", "TEXT PRIMARY KEY NOT NULL"),
    Column("estimator", "point", "TEXT NOT NULL", "estimator", note=_conditional),
    Column("problem", "point", "TEXT NOT NULL", "problem"),
    Column("num_samples", "point", "INTEGER NOT NULL", "S", form=number),
    Column("batch", "point", "INTEGER NOT NULL"),
    Column("mini_batch", heading="mini-batch"),  # of a cell that is measured in words; '' for all data
    Column("order", "point", "INTEGER NOT NULL"),
    Column("derivatives", heading="derivatives"),  # those of second order in words; '' for gradients
    Column("measured_on"),  # the problem, its mini-batch and the order in words: what estimators are compared on
    Column("device", "point", "TEXT NOT NULL", "device"),
    Column("dtype", "point", "TEXT NOT NULL", "dtype"),
    Column("status", "state", "TEXT NOT NULL"),
    Column("timing_status", "state", "TEXT NOT NULL"),
    Column("error", "state", "TEXT"),
    Column("traceback", "state", "TEXT"),
    Column("attempts", "state", "INTEGER NOT NULL"),
    Column("claim", "statistics", "TEXT", "claim"),
    Column("verdict", "statistics", "TEXT", "verdict"),
    Column("target", "statistics", "TEXT"),  # what the gradient is of: expected cost, or the name of a bound
    Column("training", heading="training"),  # the settings of a training cell in words
    Column("optimizer", "settings", "TEXT"),
    Column("learning_rate", "settings", "REAL"),
    Column("steps", "training", "INTEGER", "steps", form=number),
    Column("diverged", "training", "INTEGER", "diverged seeds", form=number),
    _figure("objective", "training", "last objective"),
    _figure("total_variance", "statistics", "total variance", SQUARED),
    _figure("batch_share", "statistics", "share of the mini-batch"),
    _figure("squared_bias", "statistics", "squared bias", SQUARED),
    _figure("relative_bias", "derived", "bias relative to the gradient", form=_relative),
    _figure("mse", "statistics", "MSE", SQUARED),
    _figure("snr", "statistics", "SNR"),
    _figure("cosine", "statistics", "cosine"),
    Column("scale", "statistics", "REAL", "scale of the mean", form=interval, has_interval=True, note=_rescaled),
    _figure("mean_cosine", "statistics", "cosine of the mean"),
    Column("detectable_bias", "statistics", "REAL", "detectable bias, relative", form=percent),
    Column("p_value", "statistics", "REAL", "p-value", form=number),
    Column("gradient_norm", "statistics", "REAL"),
    _figure("seconds_per_gradient", "timing", "time per gradient", form=seconds),
    _figure("seconds_per_gradient_batched", "timing", "… batched", form=seconds),
    Column(
        "kernel_seconds_per_gradient", "timing", "REAL", "… in kernels of the GPU", form=seconds, note=_launch_bound
    ),
    _figure("work_normalized_variance", "timing", "variance × time", WORK),
    _figure("work_normalized_mse", "timing", "MSE × time", WORK),
    Column("evaluations", "statistics", "INTEGER", "evaluations of the cost", form=number),
    _figure("evaluation_normalized_variance", "derived", "variance × evaluations", SQUARED),
    Column("replicates", "statistics", "INTEGER", "replicates", form=number),
    Column("stop_reason", "statistics", "TEXT", "stopped by"),
    Column("nonfinite", "statistics", "INTEGER", "non-finite replicates", form=number),
    Column("kurtosis", "statistics", "REAL", "kurtosis", form=number),
    Column("reference", "statistics", "TEXT", "reference"),
    Column("fitted", "statistics", "BOOLEAN NOT NULL"),
    Column("fit_seconds", "statistics", "REAL", "time to fit", form=seconds),
    Column("warnings", "statistics", "TEXT"),
    Column("peak_memory_bytes", "timing", "INTEGER", "peak memory", "MB", form=megabytes),
    Column("diagnostics", "statistics", "TEXT", "diagnostics", form=listed),
    Column("seed", "point", "INTEGER NOT NULL", "seed"),
    Column("compile", "point", "BOOLEAN NOT NULL", "compiled"),
    Column("statistics_seconds", "statistics", "REAL"),
    Column("compile_seconds", "statistics", "REAL", "time to compile", form=seconds),
    Column("device_name", "machine", "TEXT", "machine"),
)
COLUMNS = {column.name: column for column in ROWS}
"""The columns by name, in the order of the table of cells."""


def stored(*parts: Part) -> dict[str, str]:
    """Names and types of the columns in the file, in its order: those of some parts of a cell, or all."""
    chosen = [column for column in ROWS if column.sql and (not parts or column.part in parts)]
    return {name: column.sql for column in chosen for name in column.names}


def records(frame: DataFrame) -> list[Row]:
    """The rows of a frame, with None for every kind of missing value."""
    values = frame.astype(object)
    return values.where(values.notna(), None).to_dict("records")
