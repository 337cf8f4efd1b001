"""Training curves against wall-clock time: the objective and whatever else was recorded."""

from matplotlib.figure import Figure

from experiments.plots.contents import timed
from experiments.plots.drawing.training_curves import training_page
from experiments.plots.kind import Kind, Request
from experiments.store import Run

__all__ = ["KIND"]


class TrainingTime(Kind):
    """Every recorded quantity against the wall-clock time of one seed: steps times the seconds of one step.

    A step is timed by itself.
    """

    def suits(self, run: Run) -> bool:
        return timed(run.trained)

    def draw(self, run: Run, request: Request) -> Figure:
        return training_page(run.cells, run.traces, "seconds", "time of training [s]", request.title)


KIND = TrainingTime(
    title="Training against time",
    caption="What was recorded during the optimisation, against the wall-clock time of one seed: steps times the "
    "seconds of one step, timed by itself.",
    place=120,
)
