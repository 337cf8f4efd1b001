"""Total variance against the number of samples."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from experiments.plots.contents import along_samples, has_rates
from experiments.plots.drawing.against_samples import variance_page
from experiments.plots.drawing.curves import select
from experiments.plots.drawing.panels import FACETS, paneled
from experiments.plots.kind import Kind, Request
from experiments.store import Run

__all__ = ["KIND"]


class Variance(Kind):
    """Total variance with its 95 % interval against num_samples, log-log; a lane below holds variances of 0."""

    def suits(self, run: Run) -> bool:
        """Whether the run has no rates, whose figure shows the same."""
        return along_samples(run) and not has_rates(run)

    def draw(self, run: Run, request: Request) -> Figure:
        return variance_page(select(paneled(run.cells, request.facet), ["total_variance"]), request.title)

    def axes(self, run: Run) -> Sequence[str]:
        return ("num_samples",)


KIND = Variance(
    title="Variance against number of samples",
    caption="Total variance of one gradient estimate, with 95 % intervals, against the number of samples in it.",
    place=30,
    facets=FACETS,
)
