"""Marks that several kinds of figure share."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy import ndarray

from experiments.plots import legend
from experiments.plots.style import INK

__all__ = ["apart", "ring"]

RING = {"color": INK, "linestyle": "none", "marker": "o", "markersize": 9.0, "fillstyle": "none"}


def apart(count: int, decades: float) -> ndarray:
    """Factors that move curves apart over so many decades, so that their intervals do not hide each other."""
    return 10 ** (decades * ((np.arange(count) + 0.5) / count - 0.5))


def ring(ax: Axes, x: ndarray, y: ndarray, biased: ndarray) -> list[Line2D]:
    """A ring around the cells that were found to be biased."""
    if not biased.any():
        return []
    ax.plot(x[biased], y[biased], label="biased", zorder=4, **RING)
    return [legend.entry("found to be biased", **RING)]
