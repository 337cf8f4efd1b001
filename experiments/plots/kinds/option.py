"""Variance and time against the option in which the problems of a run differ."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas import DataFrame

from experiments.analysis.series import LEAST_LEVELS, Series, find_series, varying, within
from experiments.plots.contents import problems_in_series
from experiments.plots.drawing.curves import Curve, Selection, in_order, select
from experiments.plots.drawing.marks import exact_line, intervals, ring
from experiments.plots.drawing.page import page
from experiments.plots.drawing.scales import log_scale, option_scale
from experiments.plots.kind import Kind, Request
from experiments.statistics import Interval
from experiments.store import Run
from experiments.theory import exact_total_variance, exact_variances

__all__ = ["KIND"]

ROUNDING = 1e-24
"""The part of a panel's largest exact variance below which an exact variance is zero."""
VARIANCE_OF, SECONDS, TIME = "variance of ", "seconds_per_gradient", "time of one gradient"
Exact = Callable[[str, str, int], float | None]
TIMES_APART = 3.0
"""The time is drawn where that of an estimator varies by more than this factor along the option."""
NOTHING = "nothing to draw: no numeric option takes three values or more"


class Option(Kind):
    """Variance with its 95 % interval, and time, against the numeric option in which problems of one name differ.

    The variance is that of each parameter where all have one entry, else the total one; each num_samples has panels of
    its own. Where several options vary, the request may name one. A pale line is the exact variance, where it is known.
    """

    def suits(self, run: Run) -> bool:
        return bool(problems_in_series(run))

    def draw(self, run: Run, request: Request) -> Figure:
        series = find_series(run.cells["problem"], request.x)
        points = _points(_with_parameters(run), series)
        timed = any(TIME in panel for panel in points["panel"])
        return page(
            in_order(select(points, ["value"], along="level"), list(points["panel"].unique()))
            if series
            else Selection({}, NOTHING),
            _draw,
            xlabel=" or ".join(dict.fromkeys(one.option for one in series)),
            ylabel="variance of one gradient\n[cost² / parameter²]" + (" or its time [s]" if timed else ""),
            title=request.title,
        )

    def axes(self, run: Run) -> Sequence[str]:
        return varying(run.cells["problem"])


KIND = Option(
    title="Against the option in which the problems differ",
    caption="Variance of one gradient estimate with 95 % intervals, by parameter where each has one entry and else in "
    "total, and the time of one gradient where it changes. Pale lines are exact variances, where they are known.",
    place=10,
)


def _with_parameters(run: Run) -> DataFrame:
    """The cells with the variances of parameters of one entry, as columns `variance of NAME` with their intervals."""
    if run.parameters.empty or run.cells.empty:
        return run.cells
    several = run.parameters.duplicated(["key", "parameter"], keep=False)
    alone = run.parameters[~several & (run.parameters["index"] == 0)]
    wide = {
        wide: rows.set_index("key")[column]
        for name, rows in alone.groupby("parameter")
        for wide, column in zip(Interval.columns(f"{VARIANCE_OF}{name}"), Interval.columns("variance"), strict=True)
    }
    return run.cells.join(DataFrame(wide), on="key") if wide else run.cells


def _points(cells: DataFrame, series: list[Series]) -> DataFrame:
    """A row for each cell and quantity: `level` is the option, `value` the quantity."""
    frames = [frame for one in series for frame in _panels(cells, one)]
    points = pd.concat(frames, ignore_index=True) if frames else cells.assign(panel="", rank=0)
    return points.assign(curve=points["estimator"]).sort_values("rank", kind="stable")


def _panels(cells: DataFrame, series: Series) -> list[DataFrame]:
    own = _curved(within(cells, series))
    done = own.query("status == 'done'")
    names = [column for column in own if column.startswith(VARIANCE_OF) and set(Interval.columns(column)) <= {*own}]
    known = np.isfinite(done[names].to_numpy(float))
    names = [name for name, column in zip(names, known.T, strict=True) if column.any()]
    if names and known.any(axis=1).all():
        panels = [_panel(own, series, name, name, _exact_of(name.removeprefix(VARIANCE_OF))) for name in names]
    else:
        panels = [_panel(own, series, "total_variance", "total variance", exact_total_variance)]
    if any(found.max() > TIMES_APART * found.min() for _, found in done.groupby(["estimator", "num_samples"])[SECONDS]):
        panels.append(_panel(own.assign(verdict=None), series, SECONDS, TIME, None))
    return [panel.assign(rank=rank) for rank, panel in enumerate(panels)]


def _curved(own: DataFrame) -> DataFrame:
    """The cells at numbers of samples with enough levels for a curve; all cells, if there are no such numbers."""
    least = min(LEAST_LEVELS, len(set(own["level"])))
    curved = [s for s, found in own.groupby("num_samples") if len(set(found["level"])) >= least]
    return own.query("num_samples in @curved") if curved else own


def _panel(own: DataFrame, series: Series, quantity: str, name: str, exact: Exact | None) -> DataFrame:
    known = [None if exact is None else exact(*point) for point in _specs(own)]
    columns = zip(Interval.columns("value"), Interval.columns(quantity), strict=True)
    values = {value: own[column] for value, column in columns}
    several = len(set(own["num_samples"])) > 1
    panels = [f"{series.name}, {name}" + (f", S = {s}" if several else "") for s in own["num_samples"]]
    curve = np.array(known, float)
    # A quadrature that should give zero gives the rounding error of what it sums.
    curve[curve < ROUNDING * np.nanmax(curve, initial=0)] = np.nan
    return own.assign(panel=panels, exact=curve, **values)


def _exact_of(parameter: str) -> Exact:
    return lambda *point: (exact_variances(*point) or {}).get(parameter)


def _specs(cells: DataFrame) -> list[tuple[str, str, int]]:
    # Nothing is known of mini-batches and of second derivatives.
    columns = cells["estimator"], cells["measured_on"], cells["num_samples"].astype(int)
    return list(zip(*columns, strict=True))


def _draw(ax: Axes, curves: list[Curve]) -> list[Line2D]:
    found = [curve.interval("value") for curve in curves]
    values, low, high = np.concatenate(found, axis=1)
    known = np.concatenate([curve.numbers("exact") for curve in curves])
    limits = log_scale(ax, "y", np.append(values, known[np.isfinite(known)]), low, high, zero="variance 0")
    option_scale(ax, np.concatenate([curve.numbers("level") for curve in curves]))
    size = 4.0 / math.sqrt(max(len(curve.cells) for curve in curves) / 10 + 1)
    marks = []
    for curve, (value, low, high) in zip(curves, found, strict=True):
        x, y, exact = curve.numbers("level"), limits.place(value), curve.numbers("exact")
        intervals(ax, x, limits.place(low), limits.place(high), curve.look, value > 0)
        if np.isfinite(exact).any():
            marks += exact_line(ax, x, np.where(np.isfinite(exact), limits.place(exact), np.nan), curve.look)
        else:
            ax.plot(x, np.where(value > 0, value, np.nan), **curve.look.line)
        style = {**curve.look.marks, "linestyle": "none", "markersize": size}
        ax.plot(x, y, label=curve.name, **style)
        marks += ring(ax, x, y, curve.biased)
    return marks
