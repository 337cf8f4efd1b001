"""How fast a variance falls with the number of samples: a line through its logarithms."""

from typing import NamedTuple

import numpy as np

from experiments.statistics.derived import log_standard_error
from experiments.statistics.interval import Interval

__all__ = ["PowerLaw", "fit_logarithms", "fit_power_law"]

LEAST_POINTS = 3


class PowerLaw(NamedTuple):
    """values ≈ exp(intercept) · x^exponent, with the standard error of the exponent."""

    exponent: float
    standard_error: float
    inflation: float
    """The factor by which the standard error was multiplied, since the points scatter about the line by more than their
    errors; 1 where they do not. Far above 1 there is no power law, and the exponent is an average over the range."""
    intercept: float
    points: int

    def at(self, x: np.ndarray) -> np.ndarray:
        return np.exp(self.intercept) * np.asarray(x, float) ** self.exponent


def fit_power_law(x: np.ndarray, intervals: list[Interval]) -> PowerLaw | None:
    """`fit_logarithms`, with the standard errors that the intervals hold. Values of 0 take no part.

    Args:
        x: [N], positive.
        intervals: N figures such as `total_variance`, of independent noise.
    """
    errors = [log_standard_error(interval) if interval.value > 0 else np.inf for interval in intervals]
    return fit_logarithms(x, np.array([interval.value for interval in intervals]), np.array(errors))


def fit_logarithms(x: np.ndarray, values: np.ndarray, errors: np.ndarray) -> PowerLaw | None:
    """Least squares of log value against log x, weighted by the standard errors of the log values.

    The standard error is inflated by √(χ²/(n − 2)) where that is above 1 (Birge 1932). Values without an error, or with
    an infinite one, take no part; None: fewer than three different x are left.

    Args:
        x: [N], positive.
        values: [N], positive where they take part.
        errors: [N], standard errors of their logarithms.
    """
    known = np.isfinite(errors) & (errors > 0)
    log_x = np.log(np.asarray(x, float)[known])
    if len(set(log_x)) < LEAST_POINTS:
        return None
    log_value = np.log(values[known])
    weight = errors[known] ** -2
    centre = np.average(log_x, weights=weight)
    spread = weight @ (log_x - centre) ** 2
    exponent = weight @ ((log_x - centre) * log_value) / spread
    intercept = np.average(log_value, weights=weight) - exponent * centre
    chi_square = weight @ (log_value - intercept - exponent * log_x) ** 2
    inflation = max(1.0, float(np.sqrt(chi_square / (len(log_x) - 2))))
    return PowerLaw(float(exponent), float(inflation / np.sqrt(spread)), inflation, float(intercept), len(log_x))
