"""Squared bias, mean squared error and signal-to-noise ratio, from the spread of the group means."""

import numpy as np

from experiments.statistics import laws as stats
from experiments.statistics.deviation import Deviation, Traces
from experiments.statistics.groups import Groups, distinct_pairs
from experiments.statistics.interval import Interval
from experiments.statistics.variance import log_jackknife, total_variance

__all__ = [
    "bias_bounds",
    "leave_one_out_error",
    "mean_squared_error",
    "signal_to_noise",
    "squared_bias",
    "squared_length",
]


def bias_bounds(estimate: float, traces: Traces, along: float, quantile: float) -> tuple[float, float]:
    """Squared biases b with |estimate - b| <= quantile * sqrt(2 tr C^2 + 4 c b): the score interval.

    c is the larger of `along`, the noise in the direction of the bias, and tr C^3 / tr C^2, its typical size. A
    jackknife or a fixed standard error fails where b is near 0, because the statistic is degenerate there.
    """
    c = max(along, traces.third / traces.second if traces.second > 0 else 0.0)
    centre = estimate + 2 * quantile**2 * c
    squared = 2 * traces.second + 4 * c * estimate + 4 * quantile**2 * c**2
    half = quantile * np.sqrt(np.maximum(squared, 0.0))
    return float(centre - half), float(centre + half)


@np.errstate(all="ignore")
def squared_bias(groups: Groups, reference: np.ndarray) -> Interval:
    """Unbiased estimate of ||E g_hat - g||^2, which may be negative, with its interval.

    Traces after Srivastava (2005) and Fisher (2010); see `noise_traces` and `bias_bounds`.

    Args:
        groups: [G, P].
        reference: g, [P] exact or [G, P] group means of a measured one.
    """
    return squared_length(Deviation.of(groups, reference))


@np.errstate(all="ignore")
def squared_length(deviation: Deviation) -> Interval:
    """The same of a deviation that is there."""
    quantile = float(stats.t.ppf(0.975, deviation.size - 1))
    low, high = bias_bounds(deviation.squared, deviation.traces, deviation.noise_along(), quantile)
    # Far below 0, where only chance puts it, the estimate lies outside its own bounds.
    return Interval(deviation.squared, min(low, deviation.squared), max(high, deviation.squared))


@np.errstate(all="ignore")
def mean_squared_error(groups: Groups, reference: np.ndarray, floor: np.ndarray | float = 0.0) -> Interval:
    """E ||g_hat - g||^2 = total variance + squared bias, with the jackknife interval of its logarithm.

    Unbiased; with an exact reference it is the plain mean of ||g_hat - g||^2 over the replicates, with a measured one
    (`reference` [G, P]) less the reference's own noise. Where nothing varies it is the squared bias, and 0 as long as
    rounding or the noise of the reference explain that.

    Args:
        groups: [G, P].
        reference: as for `squared_bias`.
        floor: rounding error of an entry of one estimate, [P] or of all entries.
    """
    spread = total_variance(groups, floor)
    if spread.value == 0:
        explained = float(np.broadcast_to(np.square(floor), groups.overall_mean.shape).sum())
        bias = squared_bias(groups, reference)
        seen = bias.value if bias.low > explained else 0.0
        low, high = (end if end > explained else 0.0 for end in (bias.low, bias.high))
        return Interval(seen, low + spread.low, high + spread.high)
    deviation = Deviation.of(groups, reference)
    value = float(groups.variance.sum()) + deviation.squared
    leave_one_out = _leave_one_out_error(groups, deviation)
    return log_jackknife(value, leave_one_out)


@np.errstate(all="ignore")
def leave_one_out_error(groups: Groups, reference: np.ndarray) -> np.ndarray:
    """The `mean_squared_error` without group k, [G]; with a measured reference, also without its group k."""
    return _leave_one_out_error(groups, Deviation.of(groups, reference))


def _leave_one_out_error(groups: Groups, deviation: Deviation) -> np.ndarray:
    return groups.leave_one_out_total + _leave_one_out_squared(groups, deviation)


@np.errstate(all="ignore")
def signal_to_noise(groups: Groups, floor: np.ndarray | float = 0.0) -> Interval | None:
    """||E g_hat|| / sqrt(total variance); None where the signal is not seen to be positive or nothing varies.

    The signal is the unbiased `squared_bias` against 0. Its interval and that of the variance are combined on the
    logarithmic scale, with their correlation over the groups (MOVER: Zou & Donner 2008).
    """
    deviation = Deviation.of(groups, np.zeros(groups.mean.shape[1]))
    if not deviation.squared > 0 and not np.isnan(deviation.squared):
        return None
    signal, noise = squared_length(deviation), total_variance(groups, floor)
    if noise.value == 0:
        return None
    squared = _leave_one_out_squared(groups, deviation)
    shared = float(np.nan_to_num(np.corrcoef(squared, groups.leave_one_out_total)[0, 1]))
    log_signal, signal_low, signal_high = np.log(np.maximum(signal, 0.0))
    log_noise, noise_low, noise_high = np.log(noise)
    below = _difference(log_signal - signal_low, noise_high - log_noise, shared)
    above = _difference(signal_high - log_signal, log_noise - noise_low, shared)
    value = np.sqrt(signal.value / noise.value)
    return Interval(float(value), float(value * np.exp(-below / 2)), float(value * np.exp(above / 2)))


def _difference(first: float, second: float, correlation: float) -> float:
    """Error of a difference, inf where one of its errors is."""
    if np.isinf(first) or np.isinf(second):
        return float("inf")
    return float(np.sqrt(max(0.0, first**2 + second**2 - 2 * correlation * first * second)))


def _leave_one_out_squared(groups: Groups, deviation: Deviation) -> np.ndarray:
    """`Deviation.squared` without group k, [G]."""
    if deviation.measured:
        return distinct_pairs(deviation.row_products())[1]
    return deviation.squares_without_each - groups.leave_one_out_total / (groups.replicates - groups.count)
