"""Figures made from others: precision of an interval, cosine, work-normalized variance, ratios of estimators."""

import math

import numpy as np

from experiments.statistics import laws as stats
from experiments.statistics.groups import GROUPS, jackknife_error
from experiments.statistics.interval import Interval

__all__ = [
    "cosine",
    "log_median_standard_error",
    "log_standard_error",
    "ratio",
    "relative_bias",
    "relative_half_width",
    "sample_mean",
    "work_normalized",
]


def relative_half_width(interval: Interval) -> float:
    """The longer arm of an interval of a positive quantity, relative to its value: 0 for [0, 0], inf for [0, inf)."""
    if interval == (0.0, 0.0, 0.0):
        return 0.0
    if interval.high == float("inf") or interval.value == 0:
        return float("inf")
    return float(max(interval.high / interval.value - 1, 1 - interval.low / interval.value))


def relative_bias(squared: Interval | None, norm: float | None) -> Interval | None:
    """The root of a `squared_bias`, relative to the norm of the gradient; None where one is unknown or the norm 0.

    A squared bias may be estimated to be negative, which none is: its interval then reaches as far above 0 as above
    the estimate, so that no bias is excluded by the luck of the noise.
    """
    if squared is None or not norm or not np.isfinite([*squared, norm]).all():
        return None
    ends = squared.value, squared.low, squared.high - min(squared.value, 0.0)
    return Interval(*(float(np.sqrt(max(value, 0.0)) / norm) for value in ends))


def log_standard_error(interval: Interval) -> float:
    """Standard error of the logarithm of a `total_variance` or `mean_squared_error`, from the mean of both arms."""
    if interval == (0.0, 0.0, 0.0):
        return 0.0
    return sum(_log_arms(interval)) / 2 / float(stats.t.ppf(0.975, GROUPS - 1))


@np.errstate(all="ignore")
def _log_arms(interval: Interval) -> tuple[float, float]:
    """How far an interval of a positive quantity reaches below and above it, in logarithms."""
    value, low, high = np.log(interval)
    return float(value - low), float(high - value)


def log_median_standard_error(seconds_rounds: np.ndarray) -> float:
    """Standard error of the logarithm of a median, from the interquartile range (McGill, Tukey & Larsen 1978).

    Args:
        seconds_rounds: seconds of one gradient, one figure a timing round; infinite for a single round.
    """
    if len(seconds_rounds) < 2:
        return float("inf")
    lower, upper = np.quantile(np.log(seconds_rounds), [0.25, 0.75])
    return float(1.2533 * (upper - lower) / 1.349 / np.sqrt(len(seconds_rounds)))


def cosine(group_cosines: np.ndarray) -> Interval:
    """Mean cosine between estimate and gradient, with Student's interval of G group means.

    Args:
        group_cosines: [G], mean cosine of each group.
    """
    size = len(group_cosines)
    value = float(np.clip(np.mean(group_cosines), -1.0, 1.0))  # float32 has made more of some
    half = float(stats.t.ppf(0.975, size - 1) * np.std(group_cosines, ddof=1) / np.sqrt(size))
    return Interval(value, float(np.maximum(value - half, -1.0)), float(np.minimum(value + half, 1.0)))


def work_normalized(quantity: Interval, seconds_rounds: np.ndarray) -> Interval:
    """Variance (or mean squared error) times the median seconds of one gradient (Glynn & Whitt 1992).

    The squared error per second of computing: averaging n estimates divides the error by n and multiplies the time.
    Both errors count, that of the median by `log_median_standard_error`, arm by arm (Zou & Donner 2008).

    Args:
        quantity: `total_variance` or `mean_squared_error`.
        seconds_rounds: seconds of one gradient, one figure a timing round; a single round gives [0, inf).
    """
    seconds, rounds = float(np.median(seconds_rounds)), len(seconds_rounds)
    value = quantity.value * seconds
    if value == 0:
        return Interval(0.0, quantity.low * seconds, quantity.high * seconds)
    if rounds < 2 or quantity.high == float("inf"):
        return Interval(value, 0.0, float("inf"))
    of_time = stats.t.ppf(0.975, rounds - 1) * log_median_standard_error(seconds_rounds)
    below, above = np.hypot(_log_arms(quantity), of_time)
    return Interval(value, float(value * np.exp(-below)), float(value * np.exp(above)))


@np.errstate(all="ignore")
def ratio(log_values_a: np.ndarray, log_values_b: np.ndarray) -> Interval:
    """a / b of two estimators that met the same noise, by the jackknife of their paired log-ratios.

    Args:
        log_values_a, log_values_b: [G], logarithms of leave-one-group-out values (`leave_one_out_log_variance`).
    """
    logs = np.asarray(log_values_a) - np.asarray(log_values_b)
    if np.isinf(logs).all() and (logs == logs[0]).all():
        value = float(np.exp(logs[0]))
        return Interval(value, value, value)
    half = stats.t.ppf(0.975, len(logs) - 1) * jackknife_error(logs)
    value, low, high = np.exp([logs.mean(), logs.mean() - half, logs.mean() + half])
    return Interval(float(value), float(low), float(high))


def sample_mean(values: np.ndarray) -> Interval:
    """The mean of independent values, with its interval of Student's t; NaN unless there are some, all finite."""
    if not len(values) or not np.isfinite(values).all():
        return Interval(math.nan, math.nan, math.nan)
    mean, half = float(np.mean(values)), math.inf
    if len(values) > 1:
        half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    return Interval(mean, mean - half, mean + half)
