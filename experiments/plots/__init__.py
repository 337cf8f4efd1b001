"""Figures of a run: variance, bias, and variance against time.

>>> cells = load("results/quickstart").cells
>>> figure = plot(cells, "variance")
>>> save_plots(cells, "figures", format="pdf")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from pandas import DataFrame

from experiments.plots.bias import bias
from experiments.plots.files import FORMATS, check_known, save
from experiments.plots.variance import variance
from experiments.plots.variance_time import variance_time

__all__ = ["KINDS", "plot", "save_plots"]

KINDS: dict[str, Callable[[DataFrame, str | None], Figure]] = {
    "variance": variance,
    "bias": bias,
    "variance-time": variance_time,
}


def plot(cells: DataFrame, kind: str, title: str | None = None) -> Figure:
    """Draw one kind of figure of a run's `cells`; where they hold nothing to draw, the figure says so.

    Raises ValueError for a kind that is not in `KINDS`.
    """
    check_known("kind of figure", kind, KINDS)
    return KINDS[kind](cells, title)


def save_plots(
    cells: DataFrame, folder: str | Path, kinds: Sequence[str] | None = None, format: str = "png"
) -> list[Path]:
    """Write `folder/KIND.FORMAT` for every kind, each file whole or not at all.

    Raises ValueError for an unknown kind or format (png, svg, pdf), before anything is written.
    """
    kinds = list(KINDS if kinds is None else kinds)
    for kind in kinds:
        check_known("kind of figure", kind, KINDS)
    check_known("format", format, FORMATS)
    return [save(plot(cells, kind), Path(folder) / f"{kind}.{format}") for kind in kinds]
