"""Total variance against the number of samples, with the rates at which it falls."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.plots.contents import has_rates
from experiments.plots.drawing import legend
from experiments.plots.drawing.against_samples import variance_page
from experiments.plots.drawing.curves import Curve, select
from experiments.plots.drawing.marks import exact_line, ring
from experiments.plots.drawing.panels import paneled
from experiments.plots.drawing.scales import Limits, log_scale, sample_scale
from experiments.plots.kind import Kind, Request
from experiments.statistics import Interval, PowerLaw, fit_power_law
from experiments.store import Run
from experiments.theory import exact_total_variance

__all__ = ["KIND"]

LINE, HEIGHT = 0.14, 1.6  # inches: of a line of the rates, and of what a panel has for curves and rates
CURVED = 2.0
"""Inflation of the standard error beyond which the points lie on no power law."""


class Rates(Kind):
    """Total variance with its 95 % interval against num_samples, and the fitted power law of each curve.

    Beside each panel's markers stands the exponent with its standard error (`statistics.fit_power_law`). A pale line is
    the exact variance, where it is known.
    """

    def suits(self, run: Run) -> bool:
        return has_rates(run)

    def draw(self, run: Run, request: Request) -> Figure:
        return variance_page(select(paneled(run.cells), ["total_variance"]), request.title, _draw)


KIND = Rates(
    title="Rates of the variance",
    caption="Total variance of one gradient estimate against the number of samples in it, with the fitted power law "
    "and its exponent ± standard error. Pale lines are exact variances, where they are known.",
    place=20,
)


def _draw(ax: Axes, curves: list[Curve]) -> list[Line2D]:
    intervals = [curve.interval("total_variance") for curve in curves]
    known = [np.array([exact_total_variance(*point) for point in _specs(curve)], float) for curve in curves]
    values, lows, highs = np.concatenate(intervals, axis=1)
    finite = np.concatenate([exact[np.isfinite(exact)] for exact in known])
    limits = log_scale(ax, "y", np.append(values, finite), lows, highs, zero="variance 0")
    sample_scale(ax, curves)
    marks, rows = [], []
    for curve, (value, low, high), exact in zip(curves, intervals, known, strict=True):
        x, y = curve.numbers("num_samples"), limits.place(value)
        if np.isfinite(exact).all():
            marks += exact_line(ax, x, limits.place(exact), curve.look)
        ax.vlines(x, limits.place(low), limits.place(high), color=curve.look.colour, linewidth=0.8)
        ax.plot(x, y, label=curve.name, linestyle="none", **curve.look.marks)
        marks += ring(ax, x, y, curve.biased)
        law = fit_power_law(x, [Interval(*row) for row in np.stack([value, low, high], axis=1).tolist()])
        if law is not None:
            ax.plot(x, law.at(x), label="fit", **curve.look.line)
            rows.append(legend.entry(_text(law), **curve.look.marks))
            marks += [legend.entry(NOTE)] if law.inflation > CURVED else []
    if rows:
        _put_below(ax, rows, limits)
    return marks


def _put_below(ax: Axes, rows: list[Line2D], limits: Limits) -> None:
    """The rates, in room of their own below the data."""
    columns = 1 if len(rows) <= 3 else 2
    share = LINE * (1 + math.ceil(len(rows) / columns)) / HEIGHT
    ax.set_ylim(limits.low / (limits.high / limits.low) ** (share / (1 - share)), limits.high)
    spacing = {"borderaxespad": 0.2, "handletextpad": 0.1, "labelspacing": 0.25, "columnspacing": 0.8}
    ax.legend(handles=rows, loc="lower left", title="rate", ncols=columns, **spacing)


NOTE = f"* no power law: the points scatter by over {CURVED:g} times their errors, and ± is widened by as much"


def _text(law: PowerLaw) -> str:
    sign = "\N{MINUS SIGN}" if law.exponent < 0 else ""
    curved = " *" if law.inflation > CURVED else ""
    return f"{sign}{abs(law.exponent):.3f} ± {law.standard_error:.3f}{curved}"


def _specs(curve: Curve) -> list[tuple[str, str, int]]:
    problem = curve.cells["measured_on"]  # nothing is known of mini-batches and of second derivatives
    return [(curve.name, spec, int(s)) for spec, s in zip(problem, curve.numbers("num_samples"), strict=True)]
