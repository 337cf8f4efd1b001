"""Total variance against the size of the mini-batch, above what the choice of the batch alone makes of it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.plots.drawing import legend
from experiments.plots.drawing.against_samples import TOTAL_VARIANCE
from experiments.plots.drawing.curves import Curve, select
from experiments.plots.drawing.marks import intervals, ring
from experiments.plots.drawing.page import page
from experiments.plots.drawing.scales import log_scale, option_scale
from experiments.plots.drawing.style import INK
from experiments.plots.kind import Kind, Request
from experiments.store import Run

__all__ = ["KIND"]

FLOOR = {"color": INK, "linewidth": 1.2, "linestyle": (0, (4, 2))}
ALONE = "variance of the mini-batch alone: no unbiased estimator is below it"


class MiniBatches(Kind):
    """Total variance with its 95 % interval against the data points of a mini-batch, log-log, a panel for each S.

    The variance over batches of the mean given the batch is the same for all unbiased estimators.
    """

    def suits(self, run: Run) -> bool:
        return any(run.measured["mini_batch"])

    def draw(self, run: Run, request: Request) -> Figure:
        cells = run.cells[run.cells["batch"] > 0]
        panels = cells["problem"] + ", S = " + cells["num_samples"].astype(str)
        points = select(cells.assign(panel=panels, curve=cells["estimator"]), ["total_variance"], along="batch")
        axis = "data points of a mini-batch"
        return page(points, _draw, xlabel=axis, ylabel=TOTAL_VARIANCE, title=request.title)


KIND = MiniBatches(
    title="Variance against the mini-batch",
    caption="Total variance of one gradient estimate on a mini-batch, with 95 % intervals, against the data points in "
    "it. Below the dashed line no unbiased estimator can be: it is what the choice of the batch alone adds.",
    place=47,
)


def _draw(ax: Axes, curves: list[Curve]) -> list[Line2D]:
    found = [curve.interval("total_variance") for curve in curves]
    sizes, floor = _floor(curves)
    drawn = [*found, np.stack([floor] * 3)]
    limits = log_scale(ax, "y", *np.concatenate(drawn, axis=1), zero="variance 0")
    option_scale(ax, np.concatenate([curve.numbers("batch") for curve in curves]))
    marks = []
    for curve, (value, low, high) in zip(curves, found, strict=True):
        x, y = curve.numbers("batch"), limits.place(value)
        intervals(ax, x, limits.place(low), limits.place(high), curve.look, value > 0)
        ax.plot(x, np.where(value > 0, value, np.nan), **curve.look.line)
        ax.plot(x, y, label=curve.name, linestyle="none", **curve.look.marks)
        marks += ring(ax, x, y, curve.biased)
    if not sizes.size:
        return marks
    ax.plot(sizes, limits.place(floor), label="mini-batch alone", marker="_", **FLOOR)
    return [*marks, legend.entry(ALONE, **FLOOR)]


def _floor(curves: list[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """The sizes, and the variance over batches at each, as the unbiased estimate tells it that knows it best."""
    known: dict[float, tuple[float, float]] = {}
    for curve in curves:
        columns = curve.numbers("batch"), curve.numbers("total_variance"), *curve.interval("batch_share")
        for size, variance, share, low, high, biased in zip(*columns, curve.biased, strict=True):
            if low > 0 and not biased:
                known[size] = min(known.get(size, (np.inf, np.nan)), ((high - low) * variance, share * variance))
    sizes = np.array(sorted(known))
    return sizes, np.array([known[size][1] for size in sizes])
