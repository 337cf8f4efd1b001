"""The page that a figure is: small multiples, the panels, and the legend below them."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.plots.drawing import legend
from experiments.plots.drawing.curves import Curve, Selection
from experiments.plots.drawing.style import paper_style, wrap

__all__ = ["PAGE", "DrawPanel", "fitted", "notice", "page", "page_width", "settle"]

COLUMN, PAGE = 3.5, 7.1  # inches: a column of a two-column paper, and its page
PANEL, LINE = 2.2, 0.13  # inches: the height of a panel with one line of title, and of one more line
NARROWEST = 2.2
"""Inches of a panel, below which the numbers at its axes meet."""
LETTERS = 12
"""Of a title in an inch."""

_width: ContextVar[float | None] = ContextVar("width", default=None)


@contextmanager
def fitted(width: float | None) -> Iterator[None]:
    """Figures are drawn so many inches wide inside, as a column of a paper asks; None: as wide as suits them."""
    token = _width.set(width)
    try:
        yield
    finally:
        _width.reset(token)


def page_width() -> float:
    """The inches of a figure that fills a page."""
    return _width.get() or PAGE


# Draws the curves of one panel, and returns legend entries for the marks beside them.
DrawPanel = Callable[[Axes, list[Curve]], Sequence[Line2D]]


def page(selection: Selection, draw: DrawPanel, *, xlabel: str, ylabel: str, title: str | None) -> Figure:
    """Draw every panel of a selection, or the sentence that says why there is none."""
    with paper_style():
        if not selection.panels:
            return notice(selection.left_out, title)
        return _small_multiples(selection, draw, xlabel, ylabel, title)


def notice(text: str, title: str | None) -> Figure:
    """A figure that says why there is none."""
    figure = Figure(figsize=(COLUMN, 1.2))
    figure.text(0.5, 0.8, wrap(title or "", 56), ha="center", va="center", fontsize="large")
    figure.text(0.5, 0.5, wrap(text, 56), ha="center", va="center")
    return figure


def _small_multiples(selection: Selection, draw: DrawPanel, xlabel: str, ylabel: str, title: str | None) -> Figure:
    panels = selection.panels
    columns = {1: 1, 2: 2, 4: 2}.get(len(panels), 3)
    width = _width.get() or (COLUMN if columns == 1 else PAGE)
    columns = min(columns, max(int(width / NARROWEST), 1))
    characters = int(LETTERS * width) // columns + 6 * (columns == 1)
    figure = Figure(layout="constrained")
    grid = figure.add_gridspec(2, 1)
    upper, lower = (figure.add_subfigure(part) for part in grid)
    axes = upper.subplots(math.ceil(len(panels) / columns), columns, squeeze=False)
    marks: list[Line2D] = []
    for ax, (name, curves) in zip(axes.flat, panels.items(), strict=False):
        if len(panels) > 1 or _width.get() is None:  # a figure in a paper has its caption
            ax.set_title(wrap(name, characters))
        marks += draw(ax, curves)
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    upper.supxlabel(xlabel)
    upper.supylabel(ylabel)
    if selection.left_out:
        marks.append(legend.entry(selection.left_out))
    rows = legend.entries([curve for curves in panels.values() for curve in curves], marks)
    legend_columns, legend_height = legend.size(rows, width)
    legend.put(lower, rows, legend_columns)
    lines = max(ax.get_title().count("\n") for ax in upper.axes)
    upper_height = len(axes) * (PANEL + lines * LINE) + 2 * LINE
    if title:
        figure.suptitle(wrap(title, 120 if columns > 1 else 56))
    grid.set_height_ratios([upper_height, legend_height + LINE])
    figure.set_size_inches(width, upper_height + legend_height + LINE + (3 * LINE if title else 0))
    settle(figure)
    return figure


def settle(figure: Figure) -> None:
    """Lay out once: matplotlib would otherwise do it anew in every file, which takes longer than the drawing."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")
