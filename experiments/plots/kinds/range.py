"""The range of the entries of gradients, against the option in which problems differ."""

from matplotlib.figure import Figure

from experiments.plots.contents import problems_in_series, rounding_studied
from experiments.plots.drawing.spans import spans_page
from experiments.plots.kind import Kind, Request
from experiments.store import Run

__all__ = ["KIND"]


class Range(Kind):
    """The smallest and the largest magnitude of a gradient entry, and where entries leave the dtype's range."""

    def suits(self, run: Run) -> bool:
        return bool(problems_in_series(run)) and rounding_studied(run)

    def draw(self, run: Run, request: Request) -> Figure:
        ends = ("largest_gradient", "smallest_gradient")
        return spans_page(run.cells, *ends, ylabel="magnitude of a gradient entry", title=request.title)


KIND = Range(
    title="Range of the gradient",
    caption="Magnitudes of the entries of a gradient, from the smallest (end of the line) to the largest (marker).",
    place=100,
)
