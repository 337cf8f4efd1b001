"""Marks that several kinds of figure share."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy import ndarray

from experiments.plots.drawing import legend
from experiments.plots.drawing.style import INK, Look

__all__ = ["apart", "exact_line", "intervals", "ring"]

RING = {"color": INK, "linestyle": "none", "marker": "o", "markersize": 9.0, "fillstyle": "none"}
BAND = 0.18
"""The opacity of the band between points."""
EXACT = {"linestyle": "-", "linewidth": 3.0, "alpha": 0.3}


def apart(count: int, decades: float) -> ndarray:
    """Factors that move curves apart over so many decades, so that their intervals do not hide each other."""
    return 10 ** (decades * ((np.arange(count) + 0.5) / count - 0.5))


def intervals(ax: Axes, x: ndarray, low: ndarray, high: ndarray, look: Look, joined: ndarray) -> None:
    """A bar at each point, and a pale band between the points that are `joined`."""
    ax.vlines(x, low, high, color=look.colour, linewidth=0.8)
    ax.fill_between(x, low, high, where=joined.tolist(), color=look.colour, alpha=BAND, linewidth=0)


def ring(ax: Axes, x: ndarray, y: ndarray, biased: ndarray) -> list[Line2D]:
    """A ring around the cells that were found to be biased."""
    if not biased.any():
        return []
    ax.plot(x[biased], y[biased], label="biased", zorder=4, **RING)
    return [legend.entry("found to be biased", **RING)]


def exact_line(ax: Axes, x: ndarray, y: ndarray, look: Look) -> list[Line2D]:
    """A pale line behind measured points, where the value is known."""
    ax.plot(x, y, label="exact variance", color=look.colour, zorder=1, solid_capstyle="butt", **EXACT)
    return [legend.entry("exact variance", **EXACT)]
