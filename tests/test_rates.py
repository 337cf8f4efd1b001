"""The fit of rates: known slopes, the coverage of its standard error, and what takes no part in it."""

import math

import numpy as np
import pandas as pd
import pytest
from frames import cell, frame
from scipy import stats

from experiments.analysis.rates import fitted_rates
from experiments.statistics import Interval, fit_power_law

SAMPLES = 2.0 ** np.arange(1, 11)
QUANTILE = float(stats.t.ppf(0.975, 63))


def intervals(values: np.ndarray, errors: np.ndarray | float) -> list[Interval]:
    """As `total_variance` gives them: log-symmetric, with Student's quantile."""
    factor = np.exp(QUANTILE * np.broadcast_to(errors, values.shape))
    return [Interval(*map(float, row)) for row in zip(values, values / factor, values * factor, strict=True)]


@pytest.mark.parametrize("exponent", [-3.0, -1.0, 0.5])
def test_a_power_law_is_found_exactly(exponent: float):
    errors = np.linspace(0.01, 0.1, SAMPLES.size)
    law = fit_power_law(SAMPLES, intervals(7 * SAMPLES**exponent, errors))
    assert law is not None and law.points == SAMPLES.size
    assert (law.exponent, law.intercept, law.inflation) == pytest.approx((exponent, math.log(7), 1.0), abs=1e-9)
    assert law.at(SAMPLES) == pytest.approx(7 * SAMPLES**exponent)


def test_it_is_the_weighted_least_squares_of_numpy():
    rng = np.random.default_rng(0)
    errors = rng.uniform(0.01, 0.2, SAMPLES.size)
    values = np.exp(1 - 2 * np.log(SAMPLES) + errors * rng.standard_normal(SAMPLES.size))
    law = fit_power_law(SAMPLES, intervals(values, errors))
    (slope, intercept), covariance = np.polyfit(np.log(SAMPLES), np.log(values), 1, w=1 / errors, cov="unscaled")
    assert law is not None
    assert (law.exponent, law.intercept) == pytest.approx((slope, intercept), rel=1e-9)
    assert law.standard_error / law.inflation == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-9)


@pytest.mark.parametrize("points", [4, 10])
def test_the_standard_error_covers_the_slope(points: int):
    rng, samples, seeds, held = np.random.default_rng(1), SAMPLES[:points], 2000, 0
    for _ in range(seeds):
        errors = rng.uniform(0.01, 0.1, points)
        values = np.exp(-2 * np.log(samples) + errors * rng.standard_normal(points))
        law = fit_power_law(samples, intervals(values, errors))
        assert law is not None
        held += abs(law.exponent + 2) <= stats.norm.ppf(0.975) * law.standard_error
    # Inflation never narrows: 95 % is the least.
    assert held >= stats.binom.ppf(0.001, seeds, 0.95)
    assert held <= 0.99 * seeds


def test_scatter_beyond_the_errors_widens_the_standard_error():
    rng, seeds, held, inflation = np.random.default_rng(2), 1000, 0, []
    for _ in range(seeds):
        values = np.exp(-np.log(SAMPLES) + 0.1 * rng.standard_normal(SAMPLES.size))
        law = fit_power_law(SAMPLES, intervals(values, 0.01))
        assert law is not None
        inflation.append(law.inflation)
        held += abs(law.exponent + 1) <= stats.t.ppf(0.975, SAMPLES.size - 2) * law.standard_error
    assert 8 < np.median(inflation) < 11
    assert stats.binom.ppf(0.001, seeds, 0.95) <= held <= stats.binom.ppf(0.999, seeds, 0.95)


def test_zeros_and_open_intervals_take_no_part():
    values = SAMPLES**-2.0
    known = intervals(values, 0.05)
    for odd in (Interval(0.0, 0.0, 0.0), Interval(1e9, 0.0, math.inf), Interval(math.nan, math.nan, math.nan)):
        law = fit_power_law(np.append(SAMPLES, 4096.0), [*known, odd])
        assert law == fit_power_law(SAMPLES, known)
    assert fit_power_law(SAMPLES[:2], known[:2]) is None
    assert fit_power_law(np.array([2.0, 2.0, 2.0, 4.0]), known[:4]) is None
    assert fit_power_law(SAMPLES, [Interval(0.0, 0.0, 0.0)] * SAMPLES.size) is None


def test_a_run_has_a_rate_for_each_curve():
    cells = frame(
        *(cell("pathwise", num_samples=s, total_variance=(3 / s, 2.9 / s, 3.1 / s)) for s in (1, 2, 4, 8)),
        *(cell("exact", num_samples=s, total_variance=(0.0, 0.0, 0.0)) for s in (1, 2, 4, 8)),
        *(cell("spsa", num_samples=s) for s in (1, 2)),
        *(cell("relax", num_samples=s, status="failed") for s in (1, 2, 4)),
    )
    (row,) = fitted_rates(cells).to_dict("records")
    assert (row["estimator"], row["points"], row["least"], row["most"]) == ("pathwise", 4, 1, 8)
    assert row["rate"] == pytest.approx(-1) and row["inflation"] == 1
    assert fitted_rates(frame()).empty and isinstance(fitted_rates(frame()), pd.DataFrame)
