"""How fast the signal-to-noise ratio of each parameter changes with the number of samples."""

import pandas as pd

from experiments.analysis.rates import CURVE, RATE, rate_columns
from experiments.statistics import Interval, fit_power_law

__all__ = ["fitted_signals"]


def fitted_signals(cells: pd.DataFrame, signals: pd.DataFrame) -> pd.DataFrame:
    """A row for each curve of the SNR of a named parameter, as in `experiments.analysis.rates.fitted_rates`.

    A point whose signal is not seen to be positive takes no part.
    """
    places = cells.query("status == 'done'")[["key", *CURVE, "num_samples"]]
    points = signals.dropna(subset=["snr"]).merge(places, on="key")
    rows = []
    for key, curve in points.groupby([*CURVE, "parameter"], sort=False):
        intervals = [Interval.of(row, "snr") for row in curve.to_dict("records")]
        samples = curve["num_samples"].to_numpy(float)
        if law := fit_power_law(samples, intervals):
            rows.append((*key, *rate_columns(law, samples)))  # pyright: ignore
    return pd.DataFrame(rows, columns=[*CURVE, "parameter", *RATE])
