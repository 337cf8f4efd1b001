"""Published figures, and what is measured here, row by row: each in units of the published value."""

from collections.abc import Sequence

from matplotlib.figure import Figure as Page

from experiments.plots.drawing.style import GRID, INK, paper_style
from experiments.reproduction import Found
from experiments.terminal.labels import labels

__all__ = ["published_page"]

WIDTH, LINE, REST = 6.8, 0.19, 1.0  # inches: of the page, of a row, and of all that is no row
COLOURS = {"agrees": "#0072b2", "undecided": "#888888", "differs": "#d55e00"}


def published_page(found: Sequence[Found]) -> Page:
    """A band for what may have been read, a diamond for what is published, a point with its interval for what is found.

    Left out is what was not measured, and what was published as 0.
    """
    rows = [one for one in found if one.measured is not None and one.figure.row.value]
    with paper_style():
        page = Page(figsize=(WIDTH, LINE * len(rows) + REST), layout="constrained")
        ax = page.subplots()
        for place, one in enumerate(rows):
            _draw(ax, place, one)
        ax.set_yticks(range(len(rows)), _names(rows))
        ax.invert_yaxis()
        ax.grid(visible=False, axis="y")
        ax.axvline(1.0, color=GRID, linewidth=0.8, zorder=0)
        ax.set_xlabel("times the published value (band: how exactly it could be read; point: measured, 95 % interval)")
        ax.margins(y=0.02)
    return page


def _draw(ax: object, place: int, one: Found) -> None:
    row, measured = one.figure.row, one.measured
    assert measured is not None
    error, colour = abs(row.error / row.value), COLOURS[one.verdict]
    ends = sorted([measured.low / row.value, measured.high / row.value])
    ax.barh(place, 2 * error, left=1 - error, height=0.62, color=GRID)  # pyright: ignore
    ax.plot(1.0, place, marker="D", color=INK, fillstyle="none", linestyle="none")  # pyright: ignore
    ax.hlines(place, *ends, color=colour)  # pyright: ignore
    ax.plot(measured.value / row.value, place, marker="o", color=colour, linestyle="none")  # pyright: ignore


def _names(rows: Sequence[Found]) -> list[str]:
    named = labels(one.figure.estimator for one in rows)
    return [f"{one.figure.sweep}: {named[one.figure.estimator]}, {_what(one)}" for one in rows]


def _what(one: Found) -> str:
    row, samples = one.figure.row, one.figure.num_samples
    what = row.quantity.replace("-", " ").replace("snr", "SNR")
    several = f"S={min(samples)} to {max(samples)}" if len(samples) > 1 else f"S={samples[0]}"
    return f"{what}{f' of {row.parameter}' if row.parameter else ''}, {several}"
