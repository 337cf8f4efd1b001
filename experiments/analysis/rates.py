"""The rates of a run: how fast each variance falls with the number of samples."""

import numpy as np
import pandas as pd

from experiments.statistics import Interval, PowerLaw, fit_power_law

__all__ = ["CURVE", "RATE", "fitted_rates", "rate_columns"]

CURVE = ["problem", "estimator", "mini_batch", "derivatives", "device", "dtype", "compile", "seed"]
RATE = ["rate", "standard_error", "inflation", "points", "least", "most"]


def fitted_rates(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each curve of total variance against num_samples that has three points or more.

    Columns: those of `CURVE`; `rate`, the exponent of S, and its `standard_error`; `inflation`, by which that was
    multiplied because the points do not lie on a power law; `points`; `least` and `most`, the range of S.
    """
    rows = []
    for key, curve in cells.query("status == 'done'").groupby(CURVE, sort=False):
        intervals = [Interval.of(row, "total_variance") for row in curve.to_dict("records")]
        samples = curve["num_samples"].to_numpy(float)
        law = fit_power_law(samples, intervals)
        if law is not None:
            rows.append((*key, *rate_columns(law, samples)))  # pyright: ignore
    return pd.DataFrame(rows, columns=[*CURVE, *RATE])


def rate_columns(law: PowerLaw, x: np.ndarray) -> tuple[float, float, float, int, float, float]:
    """The values of the columns `RATE`."""
    return law.exponent, law.standard_error, law.inflation, law.points, float(x.min()), float(x.max())
