"""Total variance against the time of one gradient."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy import ndarray
from pandas import DataFrame

from experiments.plots import legend
from experiments.plots.curves import Curve, select
from experiments.plots.marks import ring
from experiments.plots.page import page
from experiments.plots.scales import Limits, log_scale
from experiments.plots.style import INK

__all__ = ["pareto_front", "variance_time"]

FRONT = {"color": INK, "linewidth": 2.5, "alpha": 0.25, "linestyle": "-"}


def variance_time(cells: DataFrame, title: str | None = None) -> Figure:
    """Total variance (95 % interval) against seconds per gradient (median and quartiles), log-log.

    An estimator's numbers of samples are joined, and its markers grow with them. The Pareto front is that of the
    estimators that a user would choose from: without `exact`, and without cells that were found to be biased.
    """
    selection = select(cells, ["total_variance", "seconds_per_gradient"])
    curves = [curve for facet in selection.facets.values() for curve in facet]
    levels = sorted({s for curve in curves for s in curve.numbers("num_samples")})
    return page(
        selection,
        partial(_draw, sizes=dict(zip(levels, np.linspace(3.5, 6.5, len(levels)), strict=True))),
        xlabel="seconds per gradient [s]",
        ylabel="total variance of one gradient\n[cost² / parameter²]",
        title=title,
    )


def pareto_front(seconds: ndarray, variance: ndarray) -> ndarray:
    """Indices of the points that no other beats in both, fastest first."""
    order = np.lexsort((variance, seconds))
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(variance[order])[:-1]])
    return order[variance[order] < best_before]


def _draw(ax: Axes, curves: list[Curve], sizes: dict[float, float]) -> list[Line2D]:
    times = [curve.interval("seconds_per_gradient") for curve in curves]
    variances = [curve.interval("total_variance") for curve in curves]
    across = log_scale(ax, "x", *np.concatenate(times, axis=1))
    up = log_scale(ax, "y", *np.concatenate(variances, axis=1), zero="variance 0")
    marks = [legend.entry(f"S = {s:g}", marker="o", markersize=sizes[s]) for s in (min(sizes), max(sizes))]
    for curve, time, variance in zip(curves, times, variances, strict=True):
        (x, left, right), (y, low, high) = across.place(time), up.place(variance)
        ax.hlines(y, left, right, color=curve.look.colour, linewidth=0.8)
        ax.vlines(x, low, high, color=curve.look.colour, linewidth=0.8)
        ax.plot(x, y, label=curve.estimator, **curve.look.line)
        for s, *point in zip(curve.numbers("num_samples"), x, y, strict=True):
            ax.plot(*point, **{**curve.look.marks, "markersize": sizes[s]})
        marks += ring(ax, x, y, curve.biased)
    return marks + _draw_front(ax, curves, across, up)


def _draw_front(ax: Axes, curves: list[Curve], across: Limits, up: Limits) -> list[Line2D]:
    candidates = [~curve.biased & (curve.estimator.partition(":")[0] != "exact") for curve in curves]
    points = [
        np.stack([curve.numbers("seconds_per_gradient"), curve.numbers("total_variance")])[:, chosen]
        for curve, chosen in zip(curves, candidates, strict=True)
    ]
    seconds, variance = np.concatenate(points, axis=1)
    if seconds.size == 0:
        return []
    front = pareto_front(seconds, variance)
    x, y = seconds[front], up.place(variance[front])
    ax.step([x[0], *x, across.high], [up.high, *y, y[-1]], where="post", label="Pareto front", zorder=1, **FRONT)
    return [legend.entry("Pareto front, without exact and biased", **FRONT)]
