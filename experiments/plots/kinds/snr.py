"""Signal-to-noise ratio against the number of samples, of the whole gradient and of each named parameter."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure
from pandas import DataFrame

from experiments.plots.drawing.curves import ENDS, Selection, in_order, select
from experiments.plots.drawing.page import page
from experiments.plots.kinds.variance import draw_against_samples

__all__ = ["parameter_signals", "signal_to_noise"]


def signal_to_noise(cells: DataFrame, title: str | None = None) -> Figure:
    """‖E ĝ‖ / √(total variance) with its 95 % interval against num_samples, log-log.

    Where nothing varies, or the signal is not seen above the noise, there is no ratio to draw; the legend counts these.
    """
    return _page(select(cells, ["snr"]), title)


def parameter_signals(cells: DataFrame, title: str | None = None, signals: DataFrame | None = None) -> Figure:
    """As `signal_to_noise`, a panel for each named parameter, from a run's `signals`."""
    points = _points(cells, signals)
    nothing = Selection({}, "nothing to draw: no cell is done, or the run keeps no signals")
    return _page(
        nothing if points.empty else in_order(select(points, ["snr"]), list(points["problem"].unique())), title
    )


def _page(selection: Selection, title: str | None) -> Figure:
    return page(
        selection,
        partial(draw_against_samples, quantity="snr", zero="SNR 0"),
        xlabel="samples per gradient S",
        ylabel="signal-to-noise ratio\nof one gradient",
        title=title,
    )


def _points(cells: DataFrame, signals: DataFrame | None) -> DataFrame:
    """A row for each cell and named parameter: `problem` is the panel."""
    if signals is None or signals.empty or "status" not in cells:
        return DataFrame()
    own = [f"snr{end}" for end in ENDS]
    points = cells.query("status == 'done'").drop(columns=own).merge(signals[["key", "parameter", *own]], on="key")
    return points.assign(problem=points["problem"] + "\n" + points["parameter"])
