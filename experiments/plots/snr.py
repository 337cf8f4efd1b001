"""Signal-to-noise ratio against the number of samples."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure
from pandas import DataFrame

from experiments.plots.curves import select
from experiments.plots.page import page
from experiments.plots.variance import draw_against_samples

__all__ = ["signal_to_noise"]


def signal_to_noise(cells: DataFrame, title: str | None = None) -> Figure:
    """‖E ĝ‖ / √(total variance) with its 95 % interval against num_samples, log-log.

    Where nothing varies, or the signal is not seen above the noise, there is no ratio to draw; the legend counts these.
    """
    return page(
        select(cells, ["snr"]),
        partial(draw_against_samples, quantity="snr", zero="SNR 0"),
        xlabel="samples per gradient S",
        ylabel="signal-to-noise ratio\nof one gradient",
        title=title,
    )
