"""Total variance against the time of one gradient."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from experiments.plots.contents import along_samples, timed
from experiments.plots.drawing.against_work import work_page
from experiments.plots.drawing.panels import FACETS, paneled
from experiments.plots.kind import Kind, Request
from experiments.store import Run

__all__ = ["KIND"]


class VarianceTime(Kind):
    """Total variance (95 % interval) against seconds per gradient (median and quartiles)."""

    def suits(self, run: Run) -> bool:
        return along_samples(run) and (timed(run.measured) or run.done.empty)

    def draw(self, run: Run, request: Request) -> Figure:
        cells = paneled(run.cells, request.facet)
        return work_page(cells, "seconds_per_gradient", "seconds per gradient [s]", request.title)

    def axes(self, run: Run) -> Sequence[str]:
        return ("seconds",)


KIND = VarianceTime(
    title="Variance against time",
    caption="Total variance, with 95 % intervals, against the time of one gradient (median and quartiles). The lines "
    "join the numbers of samples of an estimator. Down and to the left is better.",
    place=60,
    facets=tuple(facet for facet in FACETS if facet != "estimator"),  # its front is one of estimators on a problem
)
