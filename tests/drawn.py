"""What a figure shows: its axes, points, intervals, legend and words."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

__all__ = ["AGAINST_SAMPLES", "axes", "band", "bars", "legend", "lines", "points", "texts"]

AGAINST_SAMPLES = ("variance", "bias", "variance-time", "variance-evaluations", "rates")


def axes(figure: Figure) -> list[Axes]:
    return figure.subfigs[0].axes


def lines(ax: Axes, label: str) -> list[Line2D]:
    return [line for line in ax.lines if line.get_label() == label]


def points(ax: Axes, label: str) -> list[tuple[float, float]]:
    return [tuple(point) for line in lines(ax, label) for point in np.asarray(line.get_xydata())]


def bars(ax: Axes) -> list[np.ndarray]:
    """The ends of all intervals, [2, 2] each."""
    lines = [collection for collection in ax.collections if isinstance(collection, LineCollection)]
    return [np.asarray(segment) for collection in lines for segment in collection.get_segments()]


def band(ax: Axes) -> set[tuple[float, float]]:
    """The corners of the bands between intervals."""
    areas = [collection for collection in ax.collections if not isinstance(collection, LineCollection)]
    return {(float(x), float(y)) for area in areas for path in area.get_paths() for x, y in np.asarray(path.vertices)}


def legend(figure: Figure) -> dict[str, Line2D]:
    found = figure.subfigs[1].legends[0]
    labels = [text.get_text().replace("\n", "") for text in found.get_texts()]
    return dict(zip(labels, found.get_lines(), strict=True))


def texts(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))  # pyright: ignore
