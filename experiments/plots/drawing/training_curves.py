"""Whatever was recorded in training, against steps or wall-clock time."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from pandas import DataFrame

from experiments.plots.drawing.curves import Curve, Selection, in_order, select
from experiments.plots.drawing.page import page
from experiments.plots.drawing.scales import log_scale
from experiments.statistics import Interval
from experiments.terminal import numbers

__all__ = ["training_page"]

VARIANCE = "gradient_variance"
UNDRAWN = "diverged"
MARKS = 6
"""The number of marks on a curve."""
SETTLED = 0.05
"""The part of a run after which its values set the limits: the first steps would squeeze all that follows."""
MARGIN = 0.06
FAR = 20.0
"""The factor by which curves may end farther from the best than the better half does, on a linear axis."""
NOTHING = "nothing to draw: no cell was trained"


def training_page(cells: DataFrame, traces: DataFrame, along: str, xlabel: str, title: str | None) -> Figure:
    """A panel for each problem and quantity: the median over the seeds and a band from the lowest to the highest.

    `along` is what the curves are drawn against: step or seconds.
    """
    return page(
        Selection({}, NOTHING) if traces.empty else _selection(cells, traces, along),
        partial(_draw, along=along),
        xlabel=xlabel,
        ylabel="median and range over seeds",
        title=title,
    )


def _selection(cells: DataFrame, traces: DataFrame, along: str) -> Selection:
    if len(set(cells["training"])) == 1:
        cells = cells.assign(training="")  # a panel is named after what varies
    nothing = cells.head(0).assign(step=0.0, seconds=0.0, panel="", curve="")
    points = pd.concat([nothing, *_points(cells, traces)], ignore_index=True)
    return in_order(select(points, ["value"], along), list(dict.fromkeys(points["panel"])))


def _points(cells: DataFrame, traces: DataFrame) -> Iterator[DataFrame]:
    """A frame for each cell and quantity."""
    curves = dict(iter(traces.groupby("key")))
    for cell in cells.query("status == 'done'").to_dict("records"):
        if cell["key"] in curves:
            for quantity, rows in curves[cell["key"]].groupby("quantity", sort=False):
                if quantity != UNDRAWN:
                    yield _curve(cell, str(quantity), rows)


def _curve(cell: dict[Any, Any], quantity: str, rows: DataFrame) -> DataFrame:
    """One row for each step: `value` is the median over the seeds, its interval their range."""
    curves = rows.pivot(index="step", columns="replicate", values="value").to_numpy(float)
    values = np.nanmedian(curves, 1), np.nanmin(curves, 1), np.nanmax(curves, 1)
    steps = np.unique(rows["step"].to_numpy(float))
    what = ", ".join(filter(None, [quantity.replace("_", " "), cell["training"]]))
    return DataFrame(
        {
            **{name: [value] * len(steps) for name, value in cell.items()},
            "panel": f"{cell['problem']}\n{what}",
            "curve": cell["estimator"],
            "quantity": quantity,
            "step": steps,
            "seconds": steps * cell["seconds_per_gradient"],
            **dict(zip(Interval.columns("value"), values, strict=True)),
        }
    )


def _draw(ax: Axes, curves: list[Curve], along: str) -> list[Line2D]:
    values = np.concatenate([curve.interval("value") for curve in curves], axis=1)
    if curves[0].cells["quantity"].iloc[0] == VARIANCE:
        place = log_scale(ax, "y", *values, zero="variance 0").place
    else:
        place = _scale(ax, curves, along)
    for number, curve in enumerate(curves):
        x, (value, low, high) = curve.numbers(along), curve.interval("value")
        ax.fill_between(x, place(low), place(high), color=curve.look.colour, alpha=0.18, linewidth=0)
        # A few marks tell apart what has the same colour; each curve has them at other steps.
        apart = max(len(x) // MARKS, 1)
        look = curve.look.line | curve.look.marks | {"markersize": 3.0, "markevery": (number % apart, apart)}
        ax.plot(x, place(value), label=curve.name, **look)
    return []


def _scale(ax: Axes, curves: list[Curve], along: str) -> Callable[[np.ndarray], np.ndarray]:
    """Set the y axis to show how every curve ends; how its values are placed.

    The limits are those of the values after the first steps of each curve. Where one ends far from the best, the axis
    is linear near the best alone, and logarithmic in the distance from there on.
    """
    late = [_late(curve, along) for curve in curves]
    late = [values for values in late if values.size]
    if not late:
        return np.asarray
    low, high = min(values.min() for values in late), max(values.max() for values in late)
    *_, near = sorted(late, key=np.max)[: max(len(late) // 2, 1)]
    width = near.max() - low
    if high - low > FAR * width > 0:
        there, back = (lambda y: np.arcsinh((y - low) / width)), (lambda z: low + width * np.sinh(z))
        ticks = low + width * np.array([0.0, *10.0 ** np.arange(np.log10((high - low) / width))])
        ax.set_yscale("function", functions=(there, back))
        ax.yaxis.set_major_locator(FixedLocator([float(f"{tick:.2g}") for tick in ticks]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: numbers.number(float(y))))
        ax.yaxis.set_minor_locator(NullLocator())
        margin = MARGIN * there(high)
        ax.set_ylim(back(-margin), back(there(high) + margin))
    else:
        margin = MARGIN * (high - low or 1.0)
        ax.set_ylim(low - margin, high + margin)
    return np.asarray


def _late(curve: Curve, along: str) -> np.ndarray:
    """The finite values after the first part of a curve, or all of them."""
    x, values = curve.numbers(along), curve.interval("value")
    settled = values[:, x >= SETTLED * x.max()]
    return next((found for part in (settled, values) if (found := part[np.isfinite(part)]).size), np.empty(0))
