"""The error of gradients against float64, against the option in which problems differ."""

import numpy as np
from matplotlib.figure import Figure

from experiments.plots.contents import problems_in_series, rounding_studied
from experiments.plots.drawing.spans import spans_page
from experiments.plots.drawing.style import INK
from experiments.plots.kind import Kind, Request
from experiments.store import Run

__all__ = ["KIND"]

STYLE = {"color": INK, "linewidth": 0.8, "linestyle": (0, (1, 2))}
EPSILON = ("the spacing of float32 at 1, 2⁻²³", float(np.finfo(np.float32).eps), STYLE)


class Rounding(Kind):
    """The error of a gradient entry relative to float64 on the same noise: its median (marker) and its largest."""

    def suits(self, run: Run) -> bool:
        return bool(problems_in_series(run)) and rounding_studied(run)

    def draw(self, run: Run, request: Request) -> Figure:
        name = "relative error against float64,\nmedian and largest"
        ends = ("median_relative_error", "largest_relative_error")
        return spans_page(run.cells, *ends, ylabel=name, title=request.title, line=EPSILON)


KIND = Rounding(
    title="Rounding errors",
    caption="Error of the entries of a gradient relative to float64 at the same parameters and noise: the median "
    "(marker) and the largest (end of the line).",
    place=90,
)
