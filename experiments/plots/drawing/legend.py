"""The legend below a figure: which curve is which, how conditions differ, what the other marks mean."""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from experiments.plots.drawing.curves import Curve
from experiments.plots.drawing.style import INK, wrap

__all__ = ["entries", "entry", "put", "size"]


def entry(label: str, **style: Any) -> Line2D:
    """A row of the legend; without `style` (keywords of a line) it is text alone."""
    return Line2D([], [], **{"color": INK, "linestyle": "none", **style}, label=wrap(label, 44))


def entries(curves: Iterable[Curve], marks: Iterable[Line2D]) -> list[Line2D]:
    """One row for each name of curves, one for each condition where there are several, and one for each other mark."""
    curves = sorted(curves, key=lambda curve: (curve.name, curve.condition))
    names = {curve.name: curve.look._replace(condition=0) for curve in curves}
    conditions = {curve.condition: curve.look._replace(colour=INK, marker="o") for curve in curves}
    short = {curve.name: curve.label or curve.name for curve in curves}
    rows = [(short[name], look) for name, look in names.items()]
    rows += sorted(conditions.items()) if len(conditions) > 1 else []
    return [entry(name, **(look.line | look.marks)) for name, look in rows] + _distinct(marks)


def _distinct(marks: Iterable[Line2D]) -> list[Line2D]:
    return list({mark.get_label(): mark for mark in marks}.values())


def put(figure: FigureBase, rows: Sequence[Line2D], columns: int) -> Legend:
    return figure.legend(handles=rows, loc="upper center", ncols=columns, borderaxespad=0, columnspacing=1.5)


def size(rows: Sequence[Line2D], width: float) -> tuple[int, float]:
    """The largest number of columns (at most 4) that fits into a width, and the height needed, both in inches."""

    def measure(columns: int) -> tuple[float, float]:
        figure = Figure(figsize=(width, 1), dpi=200)
        extent = put(figure, rows, columns).get_window_extent(FigureCanvasAgg(figure).get_renderer())
        return extent.width / figure.dpi, extent.height / figure.dpi

    # Hinting makes letters up to 4 % wider at another resolution.
    columns = next((columns for columns in (4, 3, 2) if measure(columns)[0] <= 0.95 * width), 1)
    return columns, measure(columns)[1]
