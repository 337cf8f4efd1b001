"""Squared bias against the number of samples."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.plots.contents import along_samples
from experiments.plots.drawing import legend
from experiments.plots.drawing.against_samples import SAMPLES
from experiments.plots.drawing.curves import Curve, select
from experiments.plots.drawing.marks import apart, ring
from experiments.plots.drawing.page import page
from experiments.plots.drawing.panels import FACETS, paneled
from experiments.plots.drawing.scales import sample_scale, signed_scale
from experiments.plots.drawing.style import INK
from experiments.plots.kind import Kind, Request
from experiments.store import Run

__all__ = ["KIND"]

ONE_PERCENT = {"color": INK, "linewidth": 0.8, "linestyle": (0, (1, 2))}


class Bias(Kind):
    """Squared bias over the squared norm of the gradient, with its 95 % interval, against num_samples.

    The axis is linear around 0 and logarithmic beyond; the unbiased estimate of a squared bias may be negative. Where
    the gradient is 0, the panel shows the squared bias itself and says so.
    """

    def suits(self, run: Run) -> bool:
        return along_samples(run) and set(run.measured["reference"]) != {"none"}

    def draw(self, run: Run, request: Request) -> Figure:
        return page(
            select(paneled(run.cells, request.facet), ["squared_bias"]),
            _draw,
            xlabel=SAMPLES,
            ylabel="squared bias relative to\nthe squared gradient norm",
            title=request.title,
        )


KIND = Bias(
    title="Bias against number of samples",
    caption="Unbiased estimate of the squared bias, with 95 % intervals, relative to the squared norm of the gradient. "
    "The axis is linear around 0; an estimate below 0 is noise.",
    place=50,
    facets=FACETS,
)


def _draw(ax: Axes, curves: list[Curve]) -> list[Line2D]:
    relative = all((curve.numbers("gradient_norm") > 0).all() for curve in curves)
    units = [curve.numbers("gradient_norm") ** 2 if relative else 1.0 for curve in curves]
    intervals = [curve.interval("squared_bias") / unit for curve, unit in zip(curves, units, strict=True)]
    bottom, top = signed_scale(ax, *np.concatenate(intervals, axis=1))
    room = sample_scale(ax, curves)
    ax.axhline(0, color=INK, linewidth=0.8, label="no bias")
    marks = []
    if not relative:
        ax.set_title(f"{ax.get_title()}\n(absolute, in cost² / parameter²)")
    elif top > 1e-4:
        ax.axhline(1e-4, **ONE_PERCENT)
        marks.append(legend.entry("a bias of 1 % of the gradient", **ONE_PERCENT))
    for curve, factor, (value, low, high) in zip(curves, apart(len(curves), room), intervals, strict=True):
        x = curve.numbers("num_samples") * factor
        ax.vlines(x, np.fmax(low, bottom), np.fmin(high, top), color=curve.look.colour, linewidth=0.8)
        if curve.biased.any():  # to join points that differ by noise alone would draw a tangle
            ax.plot(x, value, **curve.look.line)
        ax.plot(x, value, label=curve.name, linestyle="none", **curve.look.marks)
        marks += ring(ax, x, value, curve.biased)
    return marks
