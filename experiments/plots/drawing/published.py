"""Published figures, and what is measured here, row by row: each in units of the published value."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Page

from experiments.plots.drawing.style import GRID, INK, paper_style
from experiments.reproduction import Found
from experiments.terminal.labels import labels

__all__ = ["published_page"]

WIDTH, LINE, REST = 6.8, 0.17, 0.8  # inches: of the page, of a row, and of all that is no row
COLOURS = {"agrees": "#0072b2", "undecided": "#888888", "differs": "#d55e00"}
CAPTION = "times the published value\nband: how exactly it could be read; point: measured here, with its 95 % interval"


def published_page(found: Sequence[Found]) -> Page:
    """A band for what may have been read, a diamond for what is published, a point with its interval for what is found.

    Left out is what was not measured, and what was published as 0.
    """
    lines = list(_lines([one for one in found if one.measured is not None and one.figure.row.value]))
    with paper_style():
        page = Page(figsize=(WIDTH, LINE * len(lines) + REST), layout="constrained")
        ax = page.subplots()
        for place, (_, one) in enumerate(lines):
            if one is not None:
                _draw(ax, place, one)
        ax.set_yticks(range(len(lines)), [name for name, _ in lines])
        for tick, (_, one) in zip(ax.get_yticklabels(), lines, strict=True):
            tick.set_fontweight("bold" if one is None else "normal")
        ax.tick_params(axis="y", length=0)
        ax.grid(visible=False, axis="y")
        ax.set_ylim(len(lines) - 0.4, -0.6)
        page.supxlabel(CAPTION)
    return page


def _lines(found: Sequence[Found]) -> Iterator[tuple[str, Found | None]]:
    """The name of each sweep, and below it those of its figures."""
    estimators = labels(one.figure.estimator for one in found)
    problems = labels(one.figure.problem for one in found)
    for sweep, group in groupby(found, lambda one: one.figure.sweep):
        yield sweep, None
        for one in group:
            yield f"{problems[one.figure.problem]} · {estimators[one.figure.estimator]}, {_what(one)}", one


def _draw(ax: Axes, place: int, one: Found) -> None:
    row, measured = one.figure.row, one.measured
    assert measured is not None
    error, colour = abs(row.error / row.value), COLOURS[one.verdict]
    ends = sorted([measured.low / row.value, measured.high / row.value])
    ax.barh(place, 2 * error, left=1 - error, height=0.62, color=GRID)
    ax.plot(1.0, place, marker="D", color=INK, fillstyle="none", linestyle="none")
    low, high = ends
    ax.hlines(place, low, high, color=colour)
    ax.plot(measured.value / row.value, place, marker="o", color=colour, linestyle="none")


def _what(one: Found) -> str:
    samples = one.figure.num_samples
    several = f"S={min(samples)} to {max(samples)}" if len(samples) > 1 else f"S={samples[0]}"
    return f"{one.figure.row.words}, {several}"
