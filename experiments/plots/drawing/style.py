"""What all figures share: one style, and one colour and marker an estimator."""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from typing import Any, NamedTuple

import matplotlib.style

__all__ = ["GRID", "INK", "Look", "looks", "paper_style", "wrap"]

INK, GRID = "#24292f", "#d4d9df"
# Okabe & Ito (2008), told apart by colour-blind readers; grey for the yellow, which white paper swallows.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#888888")
# 7 colours and 13 markers have no common factor: 91 estimators before a pair comes again.
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "p", "h", "d", "*")
ANCHORS = (
    "pathwise",
    "score-function",
    "score-function:control_variate=leave-one-out",
    "measure-valued",
    "stratified",
    "importance-weighted",
    "exact",
)
"""Estimators that most figures have; each has its own place among colours and markers."""
LINES = ("-", "--", ":", "-.")
FILLS = ("full", "none", "left", "right")

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 7.5,
    "figure.labelsize": 7.5,
    "figure.titlesize": 9,
    "font.size": 7,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "lines.markeredgewidth": 0.8,
    "lines.markersize": 4.0,
    "pdf.fonttype": 42,  # embedded as TrueType, as publishers ask for it
    "savefig.dpi": 200,
    "svg.hashsalt": "gradmark",
    "text.color": INK,
    "text.parse_math": False,  # a spec may hold a dollar sign
    "xtick.color": INK,
    "xtick.labelsize": 6.5,
    "ytick.color": INK,
    "ytick.labelsize": 6.5,
}


def paper_style() -> AbstractContextManager[None]:
    """Our style while a figure is built or written; the user's own settings neither enter nor change."""
    return matplotlib.style.context(["default", STYLE])


class Look(NamedTuple):
    """How one estimator is drawn under one condition (device, dtype, ...)."""

    colour: str
    marker: str
    condition: int

    @property
    def marks(self) -> dict[str, Any]:
        """Keywords of the markers, which each condition fills in its own way."""
        fill = FILLS[self.condition % len(FILLS)]
        return {"color": self.colour, "marker": self.marker, "fillstyle": fill, "markerfacecoloralt": "none"}

    @property
    def line(self) -> dict[str, Any]:
        """Keywords of the line, which each condition dashes in its own way."""
        return {"color": self.colour, "linestyle": LINES[self.condition % len(LINES)]}


def looks(estimators: Iterable[str], conditions: Iterable[str]) -> dict[tuple[str, str], Look]:
    """(estimator, condition) -> look: a function of the run's names, so that all its figures agree.

    The estimators of `ANCHORS` look alike in every run; the others take what is left, in the order of their names.
    """
    names = sorted(set(estimators))
    places = {name: ANCHORS.index(name) for name in names if name in ANCHORS}
    free = (place for place in count() if place not in places.values())
    places |= {name: next(free) for name in names if name not in places}
    return {
        (estimator, condition): Look(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], j)
        for estimator, place in places.items()
        for j, condition in enumerate(sorted(set(conditions)))
    }


def wrap(text: str, width: int, max_lines: int = 6) -> str:
    """Break a spec (or a sentence) into lines of at most `width` characters, after its separators where possible.

    Lines that it has already stay.
    """
    lines = []
    for line in text.split("\n"):
        lines.append("")
        for piece in _pieces(line, width):
            if len(lines[-1]) + len(piece) > width:
                lines.append("")
            lines[-1] += piece
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], lines[max_lines - 1][: width - 1] + "…"]
    return "\n".join(line.strip() for line in lines)


def _pieces(text: str, width: int) -> Iterator[str]:
    for word in re.split(r"(?<=[,:( ])", text):
        for part in [word] if len(word) <= width else re.split(r"(?<=[=_-])", word):
            yield from (part[i : i + width] for i in range(0, len(part), width))
