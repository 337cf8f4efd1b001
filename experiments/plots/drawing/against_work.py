"""Total variance against the work for one gradient: its time, or its evaluations of the cost."""

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy import ndarray
from pandas import DataFrame

from experiments.plots.drawing import legend
from experiments.plots.drawing.against_samples import TOTAL_VARIANCE
from experiments.plots.drawing.curves import Curve, select
from experiments.plots.drawing.marks import ring
from experiments.plots.drawing.page import page
from experiments.plots.drawing.scales import Limits, log_scale
from experiments.plots.drawing.style import INK

__all__ = ["pareto_front", "work_page"]

FRONT = {"color": INK, "linewidth": 2.5, "alpha": 0.25, "linestyle": "-"}


def work_page(cells: DataFrame, work: str, xlabel: str, title: str | None) -> Figure:
    """Total variance against `work`, a column with an interval, log-log.

    An estimator's numbers of samples are joined, and its markers grow with them. The Pareto front is that of the
    estimators that a user would choose from: without `exact`, and without cells that were found to be biased.
    """
    selection = select(cells, ["total_variance", work])
    curves = [curve for panel in selection.panels.values() for curve in panel]
    levels = sorted({s for curve in curves for s in curve.numbers("num_samples")})
    sizes = dict(zip(levels, np.linspace(3.5, 6.5, len(levels)), strict=True))
    return page(selection, partial(_draw, work=work, sizes=sizes), xlabel=xlabel, ylabel=TOTAL_VARIANCE, title=title)


def pareto_front(work: ndarray, variance: ndarray) -> ndarray:
    """Indices of the points that no other beats in both, least work first."""
    order = np.lexsort((variance, work))
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(variance[order])[:-1]])
    return order[variance[order] < best_before]


def _draw(ax: Axes, curves: list[Curve], work: str, sizes: dict[float, float]) -> list[Line2D]:
    works = [curve.interval(work) for curve in curves]
    variances = [curve.interval("total_variance") for curve in curves]
    across = log_scale(ax, "x", *np.concatenate(works, axis=1))
    up = log_scale(ax, "y", *np.concatenate(variances, axis=1), zero="variance 0")
    marks = [legend.entry(f"S = {s:g}", marker="o", markersize=sizes[s]) for s in (min(sizes), max(sizes))]
    for curve, place, variance in zip(curves, works, variances, strict=True):
        (x, left, right), (y, low, high) = across.place(place), up.place(variance)
        ax.hlines(y, left, right, color=curve.look.colour, linewidth=0.8)
        ax.vlines(x, low, high, color=curve.look.colour, linewidth=0.8)
        ax.plot(x, y, label=curve.name, **curve.look.line)
        for s, *point in zip(curve.numbers("num_samples"), x, y, strict=True):
            ax.plot(*point, **{**curve.look.marks, "markersize": sizes[s]})
        marks += ring(ax, x, y, curve.biased)
    return marks + _draw_front(ax, curves, work, across, up)


def _draw_front(ax: Axes, curves: list[Curve], work: str, across: Limits, up: Limits) -> list[Line2D]:
    candidates = [~curve.biased & (curve.name.partition(":")[0] != "exact") for curve in curves]
    points = [
        np.stack([curve.numbers(work), curve.numbers("total_variance")])[:, chosen]
        for curve, chosen in zip(curves, candidates, strict=True)
    ]
    spent, variance = np.concatenate(points, axis=1)
    if spent.size == 0:
        return []
    front = pareto_front(spent, variance)
    x, y = spent[front], up.place(variance[front])
    ax.step([x[0], *x, across.high], [up.high, *y, y[-1]], where="post", label="Pareto front", zorder=1, **FRONT)
    return [legend.entry("Pareto front, without exact and biased", **FRONT)]
