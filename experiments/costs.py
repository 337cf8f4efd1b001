"""How the time of a gradient grows with the number of samples, and with an option of the problem."""

import pandas as pd

from experiments.rates import CURVE, RATE, rate_columns
from experiments.series import find_series, within
from experiments.statistics import Interval, fit_power_law

__all__ = ["fitted_costs"]

SECONDS = "seconds_per_gradient_batched"


def fitted_costs(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each curve of seconds per gradient, in full chunks, that has three points or more.

    Columns as those of `experiments.rates.fitted_rates`, with `along`: num_samples, or the numeric option in which
    problems differ, which their name then leaves out; `rate` is its exponent. Weights and standard errors come from the
    spread between the rounds of timing, which knows nothing of what else the machine did in one cell and not in
    another: `inflation` does.
    """
    done = cells.query("status == 'done'").dropna(subset=[SECONDS])
    frames = [done.assign(level=done["num_samples"].astype(float), along="num_samples", fixed="")]
    for series in find_series(done["problem"]):
        own = within(done, series)
        fixed = "num_samples " + own["num_samples"].astype(str)
        frames.append(own.assign(problem=series.name, along=series.option, fixed=fixed))
    rows = []
    for key, curve in pd.concat(frames).groupby([*CURVE, "along", "fixed"], sort=False):
        ends = curve[[f"{SECONDS}{end}" for end in ("", "_low", "_high")]].to_numpy(float).tolist()
        law = fit_power_law(curve["level"].to_numpy(float), [Interval(*row) for row in ends])
        if law is not None:
            rows.append((*key, *rate_columns(law, curve["level"].to_numpy(float))))  # pyright: ignore
    return pd.DataFrame(rows, columns=[*CURVE, "along", "fixed", *RATE])
