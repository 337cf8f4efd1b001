"""Two figures of the rounding of gradients, and the line between them, against the option in which problems differ."""

import json
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas import DataFrame

from experiments.analysis.series import find_series, within
from experiments.plots.drawing import legend
from experiments.plots.drawing.curves import Curve, Selection, in_order, select
from experiments.plots.drawing.marks import apart
from experiments.plots.drawing.page import page
from experiments.plots.drawing.scales import Limits, log_scale, option_scale

__all__ = ["spans_page"]

FIGURES = ["smallest_gradient", "largest_gradient", "median_relative_error", "largest_relative_error"]
# Number of entries -> marker, how far beyond the edge of the panel's data (as a part of its height), what it says.
LOST = {
    "overflows": ("^", 1.06, "some gradients overflow"),
    "nans": ("x", 1.14, "some gradients are NaN"),
    "underflows": ("v", -0.06, "some gradients underflow to 0"),
}
NOTHING = "nothing to draw: no cell of a series has a study of its rounding (rounding = true)"
Line = tuple[str, float, dict]
"""A horizontal line: what it says, where it is, and its style."""


def spans_page(
    cells: DataFrame, value: str, other: str, *, ylabel: str, title: str | None, line: Line | None = None
) -> Figure:
    """A marker at the value, a line from there to the other, and marks where entries leave the dtype's range."""
    series = find_series(cells["problem"])
    frames = [within(_with_figures(cells), one).assign(panel=one.name) for one in series]
    points = pd.concat(frames, ignore_index=True) if frames else DataFrame({"underflows": [], "estimator": []})
    points = points.assign(curve=points["estimator"]).dropna(subset="underflows")
    return page(
        in_order(select(points, [], along="level"), [one.name for one in series])
        if len(points)
        else Selection({}, NOTHING),
        partial(_draw, value=value, other=other, line=line),
        xlabel=" or ".join(dict.fromkeys(one.option for one in series)),
        ylabel=ylabel,
        title=title,
    )


def _with_figures(cells: DataFrame) -> DataFrame:
    """The cells with the figures of `experiments.measuring.rounding` as columns, from their diagnostics."""
    found = DataFrame([json.loads(text or "{}") for text in cells["diagnostics"]], index=cells.index)
    return cells.assign(**found.reindex(columns=[*FIGURES, *LOST]).astype(float))


def _draw(ax: Axes, curves: list[Curve], value: str, other: str, line: Line | None) -> list[Line2D]:
    ends = [(curve.numbers(value), curve.numbers(other)) for curve in curves]
    values, others = (np.concatenate([pair[i] for pair in ends]) for i in (0, 1))
    up = log_scale(ax, "y", np.concatenate([values, others]), values, others)
    room = option_scale(ax, np.concatenate([curve.numbers("level") for curve in curves]))
    marks, lost = [], []
    if line is not None:
        text, place, style = line
        ax.axhline(place, **style)
        marks.append(legend.entry(text, **style))
    for curve, factor, (y, end) in zip(curves, apart(len(curves), room), ends, strict=True):
        x = curve.numbers("level") * factor
        style = {**curve.look.line, **curve.look.marks, "markersize": 3.0}
        ax.vlines(x, up.place(y), up.place(end), color=curve.look.colour, linewidth=0.8)
        ax.plot(x, up.place(y), label=curve.name, **style)
        lost += _lost(ax, curve, x, up)
    if lost:
        ax.set_ylim(_beyond(up, -0.12), _beyond(up, 1.2))
    return marks + lost


def _lost(ax: Axes, curve: Curve, x: np.ndarray, up: Limits) -> list[Line2D]:
    found = []
    for name, (marker, place, text) in LOST.items():
        some = curve.numbers(name) > 0
        if some.any():
            style = {"linestyle": "none", "marker": marker, "markersize": 3.5, "fillstyle": "none"}
            ax.plot(x[some], np.full(some.sum(), _beyond(up, place)), label=name, color=curve.look.colour, **style)
            found.append(legend.entry(text, **style))
    return found


def _beyond(up: Limits, place: float) -> float:
    """The place on the logarithmic scale that is 0 at the lower limit and 1 at the upper one."""
    return up.low * (up.high / up.low) ** place
