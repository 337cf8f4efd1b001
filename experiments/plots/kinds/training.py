"""Training curves: the objective and whatever else was recorded, against steps and against wall-clock time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas import DataFrame

from experiments.plots.drawing.curves import ENDS, Curve, Selection, in_order, select
from experiments.plots.drawing.page import page
from experiments.plots.drawing.scales import log_scale

__all__ = ["training_steps", "training_time", "with_curves"]

VARIANCE = "gradient_variance"
UNDRAWN = "diverged"
MARKS = 6
"""On a curve."""
SETTLED = 0.05
"""Of a run, after which its values set the limits: the first steps would squeeze all that follows."""


def training_steps(cells: DataFrame, title: str | None = None) -> Figure:
    """Every recorded quantity against steps: the median over the seeds and a band from the lowest to the highest."""
    return _page(cells, "step", "steps", title)


def training_time(cells: DataFrame, title: str | None = None) -> Figure:
    """As `training_steps` against the wall-clock time of one seed: steps times the seconds of one, timed by itself."""
    return _page(cells, "seconds", "time of training [s]", title)


def with_curves(cells: DataFrame, traces: DataFrame) -> DataFrame:
    """The cells with a column `curves`, the traces of each as a frame, or None."""
    if traces.empty:
        return cells
    frames = dict(iter(traces.groupby("key")))
    return cells.assign(curves=[frames.get(key) for key in cells["key"]])


def _page(cells: DataFrame, along: str, xlabel: str, title: str | None) -> Figure:
    if "training" in cells and len(set(cells["training"])) == 1:
        cells = cells.assign(training="")  # a panel is named after what varies
    points = pd.concat([cells.head(0).assign(step=0.0, seconds=0.0), *_points(cells)], ignore_index=True)
    panels = list(dict.fromkeys(points["problem"]))
    drawable = "curves" in cells
    return page(
        in_order(select(points, ["value"], along), panels) if drawable else Selection({}, NOTHING),
        lambda ax, curves: _draw(ax, curves, along),
        xlabel=xlabel,
        ylabel="median and range over seeds",
        title=title,
    )


NOTHING = "nothing to draw: no cell was trained"


def _points(cells: DataFrame) -> Iterator[DataFrame]:
    """A frame for each cell and quantity: `problem` is the panel, `value` the median, its ends the range over seeds."""
    frames = cells.query("status == 'done'").to_dict("records")
    for cell in frames:
        curves = cell.get("curves")
        if curves is None:
            continue
        for quantity, rows in curves.groupby("quantity", sort=False):
            if quantity != UNDRAWN:
                yield _curve(cell, quantity, rows)


def _curve(cell: dict, quantity: str, rows: DataFrame) -> DataFrame:
    curves = rows.pivot(index="step", columns="replicate", values="value").to_numpy(float)
    ends = dict(zip(ENDS, (np.nanmedian(curves, 1), np.nanmin(curves, 1), np.nanmax(curves, 1)), strict=True))
    steps = np.unique(rows["step"].to_numpy(float))
    what = ", ".join(filter(None, [quantity.replace("_", " "), cell["training"]]))
    point = {name: value for name, value in cell.items() if name not in ("curves", "problem")}
    return DataFrame(
        {
            **{name: [value] * len(steps) for name, value in point.items()},
            "problem": f"{cell['problem']}\n{what}",
            "quantity": quantity,
            "step": steps,
            "seconds": steps * cell["seconds_per_gradient"],
            **{f"value{end}": values for end, values in ends.items()},
        }
    )


def _draw(ax: Axes, curves: list[Curve], along: str) -> list[Line2D]:
    values = np.concatenate([curve.interval("value") for curve in curves], axis=1)
    if curves[0].cells["quantity"].iloc[0] == VARIANCE:
        place = log_scale(ax, "y", *values, zero="variance 0").place
    else:
        _limits(ax, curves)
        place = np.asarray
    for number, curve in enumerate(curves):
        x, (value, low, high) = curve.numbers(along), curve.interval("value")
        ax.fill_between(x, place(low), place(high), color=curve.look.colour, alpha=0.18, linewidth=0)
        # A few marks tell apart what has the same colour; each curve has them at other steps.
        apart = max(len(x) // MARKS, 1)
        look = curve.look.line | curve.look.marks | {"markersize": 3.0, "markevery": (number % apart, apart)}
        ax.plot(x, place(value), label=curve.estimator, **look)
    return []


def _limits(ax: Axes, curves: list[Curve]) -> None:
    """Those of the values after the first steps."""
    last = max(curve.numbers("step").max() for curve in curves)
    late = [curve.interval("value")[:, curve.numbers("step") >= SETTLED * last] for curve in curves]
    ends = np.concatenate([values[:, :1] if not values.size else values for values in late], axis=1)
    ends = ends[np.isfinite(ends)]
    if ends.size:
        margin = 0.06 * (ends.max() - ends.min() or 1.0)
        ax.set_ylim(ends.min() - margin, ends.max() + margin)
