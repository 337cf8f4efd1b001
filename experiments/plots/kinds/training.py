"""Training curves against steps: the objective and whatever else was recorded."""

from matplotlib.figure import Figure

from experiments.plots.drawing.training_curves import training_page
from experiments.plots.kind import Kind, Request
from experiments.store import Run

__all__ = ["KIND"]


class Training(Kind):
    """Every recorded quantity against steps: the median over the seeds and a band from the lowest to the highest."""

    def suits(self, run: Run) -> bool:
        return not run.trained.empty

    def draw(self, run: Run, request: Request) -> Figure:
        return training_page(run.cells, run.traces, "step", "steps", request.title)


KIND = Training(
    title="Training against steps",
    caption="What was recorded during the optimisation, against its steps: the median over the seeds, and a band from "
    "the lowest to the highest.",
    place=110,
)
