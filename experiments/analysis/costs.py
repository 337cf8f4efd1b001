"""How the time of a gradient grows with the number of samples, and with an option of the problem."""

import numpy as np
import pandas as pd

from experiments.analysis.rates import CURVE, RATE, rate_columns
from experiments.analysis.series import find_series, within
from experiments.statistics import fit_logarithms, log_median_standard_error

__all__ = ["fitted_costs"]

SECONDS = "seconds_per_gradient_batched"


def fitted_costs(cells: pd.DataFrame, timings: pd.DataFrame) -> pd.DataFrame:
    """A row for each curve of seconds per gradient, in full chunks, that has three points or more.

    The columns are those of `experiments.analysis.rates.fitted_rates` and `along`, the x axis: num_samples, or the
    numeric option in which problems differ, which their name then leaves out. `rate` is the exponent of the x axis.
    Weights and standard errors come from the rounds of timing, which do not show what else the machine did in one cell
    and not in another; `inflation` does.
    """
    rounds = timings.query("kind == 'batched'").groupby("key")["seconds"]
    errors = {key: log_median_standard_error(seconds.to_numpy(float)) for key, seconds in rounds}
    done = cells.query("status == 'done'").dropna(subset=[SECONDS])
    done = done.assign(log_error=[errors.get(key, np.inf) for key in done["key"]])
    frames = [done.assign(level=done["num_samples"].astype(float), along="num_samples", fixed="")]
    for series in find_series(done["problem"]):
        own = within(done, series).query("level > 0")
        fixed = "num_samples " + own["num_samples"].astype(str)
        frames.append(own.assign(problem=series.name, along=series.option, fixed=fixed))
    rows = []
    for key, curve in pd.concat(frames).groupby([*CURVE, "along", "fixed"], sort=False):
        level, seconds, error = (curve[name].to_numpy(float) for name in ("level", SECONDS, "log_error"))
        law = fit_logarithms(level, seconds, error)
        if law is not None:
            rows.append((*key, *rate_columns(law, level)))  # pyright: ignore
    return pd.DataFrame(rows, columns=[*CURVE, "along", "fixed", *RATE])
