"""Gradients per second of every implementation."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.plots.drawing.style import COLOURS, paper_style

__all__ = ["throughput"]

COLUMNS = 3


def throughput(table: pd.DataFrame) -> Figure:
    """One panel per case, one row per implementation, the limits of the generators in grey."""
    names = list(dict.fromkeys(table["implementation"]))[::-1]
    cases = list(dict.fromkeys(table["case"]))
    rows = -(-len(cases) // COLUMNS)
    with paper_style():
        figure = Figure(figsize=(7.1, 0.6 + 1.9 * rows), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False, sharey=True)
        for ax, case in zip(axes.flat, cases, strict=False):
            own = table.query("case == @case")
            speeds = own["gradients_per_second"].to_numpy(float)
            places = [names.index(name) for name in own["implementation"]]
            colours = [_colour(name) for name in own["implementation"]]
            ax.scatter(speeds, places, color=colours, s=16)
            ax.set_xscale("log")
            ax.set_xlim(_decades(speeds))
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_yticks(range(len(names)), names)
            ax.set_title(case)
        for ax in axes.flat[len(cases) :]:
            ax.remove()
        figure.supxlabel("gradients per second, one core")
        return figure


def _decades(speeds: np.ndarray) -> tuple[float, float]:
    """Whole powers of ten about all speeds: between two of them nothing is labelled."""
    return 10 ** np.floor(np.log10(speeds.min())), 10 ** np.ceil(np.log10(speeds.max()))


def _colour(name: str) -> str:
    limit = name.startswith("generator") or name.endswith("noise alone")
    return "#9aa3ad" if limit else COLOURS[1] if name.startswith("gradmark") else COLOURS[0]
