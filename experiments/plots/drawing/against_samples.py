"""A positive quantity against the number of samples."""

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.plots.drawing.curves import Curve, Selection
from experiments.plots.drawing.marks import apart, intervals, ring
from experiments.plots.drawing.page import DrawPanel, page
from experiments.plots.drawing.scales import log_scale, sample_scale

__all__ = ["SAMPLES", "TOTAL_VARIANCE", "signals_page", "variance_page"]

SAMPLES = "samples per gradient S"
TOTAL_VARIANCE = "total variance of one gradient\n[cost² / parameter²]"


def variance_page(selection: Selection, title: str | None, draw: DrawPanel | None = None) -> Figure:
    """Total variances with their intervals, log-log, unless `draw` does it; a lane below holds variances of 0."""
    draw = draw or partial(_draw, quantity="total_variance", zero="variance 0")
    return page(selection, draw, xlabel=SAMPLES, ylabel=TOTAL_VARIANCE, title=title)


def signals_page(selection: Selection, title: str | None) -> Figure:
    """Signal-to-noise ratios with their intervals, log-log."""
    draw = partial(_draw, quantity="snr", zero="SNR 0")
    return page(selection, draw, xlabel=SAMPLES, ylabel="signal-to-noise ratio\nof one gradient", title=title)


def _draw(ax: Axes, curves: list[Curve], quantity: str, zero: str) -> list[Line2D]:
    """Draw intervals of a positive quantity; `zero` labels the lane of zeros."""
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
        ax.plot(x, y, label=curve.name, linestyle="none", **curve.look.marks)
        marks += ring(ax, x, y, curve.biased)
    return marks
