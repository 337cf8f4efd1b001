"""Signal-to-noise ratio of each named parameter against the number of samples."""

from matplotlib.figure import Figure
from pandas import DataFrame

from experiments.plots.contents import has_rates
from experiments.plots.drawing.against_samples import signals_page
from experiments.plots.drawing.curves import Selection, in_order, select
from experiments.plots.kind import Kind, Request
from experiments.statistics import Interval
from experiments.store import Run

__all__ = ["KIND"]

NOTHING = "nothing to draw: no cell is done, or the run keeps no signals"


class Signals(Kind):
    """The signal-to-noise ratio of the figure `snr`, in a panel for each named parameter."""

    def suits(self, run: Run) -> bool:
        """Whether the run has rates and no reference gradients: it is then about signal and noise."""
        return has_rates(run) and set(run.measured["reference"]) == {"none"}

    def draw(self, run: Run, request: Request) -> Figure:
        points = _points(run)
        if points.empty:
            return signals_page(Selection({}, NOTHING), request.title)
        return signals_page(in_order(select(points, ["snr"]), list(points["panel"].unique())), request.title)


def _points(run: Run) -> DataFrame:
    """A row for each cell and named parameter."""
    if run.signals.empty:
        return DataFrame()
    own = list(Interval.columns("snr"))
    points = run.done.drop(columns=own).merge(run.signals[["key", "parameter", *own]], on="key")
    return points.assign(panel=points["measured_on"] + "\n" + points["parameter"], curve=points["estimator"])


KIND = Signals(
    title="Signal-to-noise ratio of each parameter",
    caption="The norm of the mean gradient in a parameter over the root of its total variance, with 95 % intervals, "
    "against the number of samples.",
    place=40,
)
