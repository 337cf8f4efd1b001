"""The variance of every entry of the parameters."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas import DataFrame

from experiments.plots.drawing.curves import Curve, Selection, select
from experiments.plots.drawing.marks import ring
from experiments.plots.drawing.page import page
from experiments.plots.drawing.scales import log_scale
from experiments.plots.drawing.style import GRID
from experiments.plots.kind import Kind, Request
from experiments.statistics import Interval
from experiments.store import Run

__all__ = ["KIND"]

NOTHING = "nothing to draw: no cell is done, or the run keeps no parameters"


class Parameters(Kind):
    """Variance of the entries of a gradient with their 95 % intervals, at the largest S of each problem.

    Entries lie side by side, tensor by tensor; one of more than 1,000 entries is a single one, the mean over them.
    """

    def suits(self, run: Run) -> bool:
        """False: the figure is drawn only where it is asked for."""
        return False

    def draw(self, run: Run, request: Request) -> Figure:
        points = _points(run)
        return page(
            Selection({}, NOTHING) if points.empty else select(points, ["entry_variance"], along="entry"),
            _draw,
            xlabel="entry of the parameters",
            ylabel="variance of an entry of one gradient\n[cost² / parameter²]",
            title=request.title,
        )


KIND = Parameters(
    title="Variance by parameter",
    caption="Variance of the entries of one gradient estimate, with 95 % intervals, at the largest number of samples.",
    place=85,
)


def _points(run: Run) -> DataFrame:
    """A row for each cell and entry of its parameters; `entry` is the place of that on the x axis."""
    cells = run.done
    if cells.empty or run.parameters.empty:
        return DataFrame()
    cells = cells[cells["num_samples"] == cells.groupby("measured_on")["num_samples"].transform("max")]
    renamed = dict(zip(Interval.columns("variance"), Interval.columns("entry_variance"), strict=True))
    columns = run.parameters.rename(columns=renamed)[["key", "parameter", "index", *renamed.values()]]
    points = cells.merge(columns, on="key", how="inner")
    names = points["parameter"] + " " + points["index"].fillna(-1).astype(int).astype(str).str.zfill(5)
    entries = points.assign(name=names).groupby("measured_on")["name"].transform(lambda found: pd.factorize(found)[0])
    panels = points["measured_on"] + ", S = " + points["num_samples"].astype(str)
    return points.assign(entry=entries, panel=panels, curve=points["estimator"])


def _draw(ax: Axes, curves: list[Curve]) -> list[Line2D]:
    intervals = [curve.interval("entry_variance") for curve in curves]
    limits = log_scale(ax, "y", *np.concatenate(intervals, axis=1), zero="variance 0")
    count = int(max(curve.numbers("entry").max() for curve in curves)) + 1
    marks = []
    for number, (curve, interval) in enumerate(zip(curves, intervals, strict=True)):
        x = curve.numbers("entry") + 0.6 * ((number + 0.5) / len(curves) - 0.5)
        y, low, high = (limits.place(values) for values in interval)
        size = 4.0 if count <= 8 else 2.5
        ax.vlines(x, low, high, color=curve.look.colour, linewidth=0.8)
        ax.plot(x, y, label=curve.name, **{**curve.look.marks, "linestyle": "none", "markersize": size})
        marks += ring(ax, x, y, curve.biased)
    _name_tensors(ax, pd.concat([curve.cells for curve in curves]), count)
    return marks


def _name_tensors(ax: Axes, points: DataFrame, count: int) -> None:
    """A name below the middle of a tensor, a line between two of them."""
    ends = points.sort_values("entry").groupby("parameter", sort=False)["entry"].agg(["min", "max"])
    middles = (ends["min"] + ends["max"]) / 2
    names = [name if first == last else f"{name} [{last - first + 1}]" for name, first, last in ends.itertuples()]
    shown = names if len(names) <= 4 else [name.partition(" ")[0][:6] for name in names]
    ax.set_xticks(middles, shown)
    ax.grid(visible=False, axis="x")
    ax.set_xlim(-0.6, count - 0.4)
    for first in list(ends["min"])[1:]:
        ax.axvline(first - 0.5, color=GRID, linewidth=0.5)
