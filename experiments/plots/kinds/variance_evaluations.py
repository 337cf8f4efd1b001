"""Total variance against the evaluations of the cost for one gradient."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from experiments.analysis.evaluations import differ_from_samples
from experiments.plots.contents import along_samples
from experiments.plots.drawing.against_work import work_page
from experiments.plots.drawing.panels import FACETS, paneled
from experiments.plots.kind import Kind, Request
from experiments.statistics import Interval
from experiments.store import Run

__all__ = ["KIND"]


class VarianceEvaluations(Kind):
    """Total variance (95 % interval) against the evaluations of the cost for one gradient.

    This comparison does not depend on a machine. It suits costs that take much longer than the estimator around them.
    """

    def suits(self, run: Run) -> bool:
        return along_samples(run) and differ_from_samples(run.measured)

    def draw(self, run: Run, request: Request) -> Figure:
        cells = paneled(run.cells, request.facet)
        cells = cells.assign(**dict.fromkeys(Interval.columns("evaluations"), cells["evaluations"]))
        return work_page(cells, "evaluations", "evaluations of the cost per gradient", request.title)

    def axes(self, run: Run) -> Sequence[str]:
        return ("evaluations",)


KIND = VarianceEvaluations(
    title="Variance against evaluations of the cost",
    caption="Total variance, with 95 % intervals, against the evaluations of the cost for one gradient. The lines join "
    "the numbers of samples of an estimator. Down and to the left is better.",
    place=70,
    facets=tuple(facet for facet in FACETS if facet != "estimator"),  # its front is one of estimators on a problem
)
