"""Total variance against the number of samples."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas import DataFrame

from experiments.plots.drawing.curves import Curve, select
from experiments.plots.drawing.marks import apart, intervals, ring
from experiments.plots.drawing.page import DrawFacet, page
from experiments.plots.drawing.scales import log_scale, sample_scale

__all__ = ["draw_against_samples", "variance", "variance_page"]


def variance(cells: DataFrame, title: str | None = None) -> Figure:
    """Total variance with its 95 % interval against num_samples, log-log; a lane below holds variances of 0."""
    return variance_page(cells, partial(draw_against_samples, quantity="total_variance", zero="variance 0"), title)


def variance_page(cells: DataFrame, draw: DrawFacet, title: str | None) -> Figure:
    """A page of total variances against num_samples."""
    return page(
        select(cells, ["total_variance"]),
        draw,
        xlabel="samples per gradient S",
        ylabel="total variance of one gradient\n[cost² / parameter²]",
        title=title,
    )


def draw_against_samples(ax: Axes, curves: list[Curve], quantity: str, zero: str) -> list[Line2D]:
    """Intervals of a positive quantity, log-log; `zero` labels the lane of those that are 0."""
    found = [curve.interval(quantity) for curve in curves]
    limits = log_scale(ax, "y", *np.concatenate(found, axis=1), zero=zero)
    room = sample_scale(ax, curves)
    single = len({s for curve in curves for s in curve.numbers("num_samples")}) == 1
    marks = []
    for curve, factor, (value, low, high) in zip(curves, apart(len(curves), room), found, strict=True):
        samples = curve.numbers("num_samples")
        # Curves stay at their S, where they can be read off; what would lie on top of each other is moved apart.
        x = np.where((value > 0) & (not single), samples, samples * factor)
        y = limits.place(value)
        intervals(ax, x, limits.place(low), limits.place(high), curve.look, value > 0)
        ax.plot(x, np.where(value > 0, value, np.nan), **curve.look.line)
        ax.plot(x, y, label=curve.estimator, linestyle="none", **curve.look.marks)
        marks += ring(ax, x, y, curve.biased)
    return marks
