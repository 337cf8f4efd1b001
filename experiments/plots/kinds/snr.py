"""Signal-to-noise ratio against the number of samples."""

from matplotlib.figure import Figure

from experiments.plots.drawing.against_samples import signals_page
from experiments.plots.drawing.curves import select
from experiments.plots.drawing.panels import FACETS, paneled
from experiments.plots.kind import Kind, Request
from experiments.store import Run

__all__ = ["KIND"]


class SignalToNoise(Kind):
    """‖E ĝ‖ / √(total variance) with its 95 % interval against num_samples, log-log.

    Where nothing varies, or the signal is not seen above the noise, there is no ratio to draw; the legend counts these.
    """

    def suits(self, run: Run) -> bool:
        """False: the figure is drawn only where it is asked for."""
        return False

    def draw(self, run: Run, request: Request) -> Figure:
        return signals_page(select(paneled(run.cells, request.facet), ["snr"]), request.title)


KIND = SignalToNoise(
    title="Signal-to-noise ratio",
    caption="Norm of the mean gradient over the root of the total variance, with 95 % intervals, against the number of "
    "samples.",
    place=45,
    facets=FACETS,
)
