"""Squared bias, mean squared error and signal-to-noise ratio, from the spread of the group means."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.statistics.groups import Groups, distinct_pairs
from experiments.statistics.interval import Interval
from experiments.statistics.variance import log_jackknife, total_variance

__all__ = [
    "Deviation",
    "bias_bounds",
    "leave_one_out_error",
    "mean_squared_error",
    "noise_traces",
    "signal_to_noise",
    "squared_bias",
]


class Traces(NamedTuple):
    """tr C, tr C^2 and tr C^3 of the covariance C of the overall mean."""

    first: float
    second: float
    third: float


@dataclass(frozen=True, eq=False)
class Deviation:
    """Group means minus the reference, split into their mean and the spread about it."""

    mean: np.ndarray  # [P]
    spread: np.ndarray  # [G, P], sums to 0 over the groups
    noise: np.ndarray  # [P], variance of `mean`
    measured: bool  # noise has G - 1 degrees of freedom, otherwise as many as there are replicates

    @classmethod
    def of(cls, groups: Groups, reference: np.ndarray) -> "Deviation":
        """`reference`: [P] exact, or [G, P] group means of a measured one, whose noise then also counts."""
        rows = groups.mean - reference
        mean = rows.mean(axis=0)
        spread = rows - mean
        if reference.ndim == 1:
            return cls(mean, spread, groups.variance / groups.replicates, False)
        return cls(mean, spread, rows.var(axis=0, ddof=1) / len(rows), True)

    @property
    def squared(self) -> float:
        """Unbiased estimate of the squared norm of the expectation."""
        return float((self.mean**2).sum() - self.noise.sum())

    def noise_along(self) -> float:
        """Variance of the overall mean in its own direction."""
        size, norm = len(self.spread), (self.mean**2).sum()
        return float(((self.spread @ self.mean) ** 2).sum() / ((size - 1) * size * norm)) if norm > 0 else 0.0


def noise_traces(spread: np.ndarray, noise: np.ndarray) -> Traces:
    """Traces of powers of the overall mean's covariance, unbiased for Gaussian group means.

    Second power: Srivastava (2005); third: Fisher (2010). They go through the G x G Gram matrix of the group means
    and are clipped to what eigenvalues with the diagonal `noise` allow.

    Args:
        spread: [G, P], centred group means.
        noise: [P], variances of the overall mean.
    """
    size = len(spread)
    n = size - 1
    gram = spread @ spread.T / n
    square = gram @ gram
    t1, t2, t3 = np.trace(gram), np.trace(square), (square * gram).sum()
    second = n**2 / ((n - 1) * (n + 2)) * (t2 - t1**2 / n) / size**2
    third = n**4 / ((n - 1) * (n - 2) * (n + 2) * (n + 4)) * (t3 - 3 * t2 * t1 / n + 2 * t1**3 / n**2) / size**3
    first = noise.sum()
    second = np.clip(second, (noise**2).sum(), first**2)
    least = max((noise**3).sum(), second**2 / first) if first > 0 else 0.0
    third = np.clip(third, least, second**1.5)
    return Traces(float(first), float(second), float(third))


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
    deviation = Deviation.of(groups, reference)
    quantile = float(stats.t.ppf(0.975, len(groups.mean) - 1))
    traces = noise_traces(deviation.spread, deviation.noise)
    low, high = bias_bounds(deviation.squared, traces, deviation.noise_along(), quantile)
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
    zero = np.zeros(groups.mean.shape[1])
    signal, noise = squared_bias(groups, zero), total_variance(groups, floor)
    if signal.value <= 0 or noise.value == 0:
        return None
    squared = _leave_one_out_squared(groups, Deviation.of(groups, zero))
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
    rows = deviation.spread + deviation.mean
    if deviation.measured:
        return distinct_pairs(rows @ rows.T)[1]
    others = deviation.mean - deviation.spread / (len(rows) - 1)
    noise = groups.leave_one_out_total / (groups.replicates - groups.count)
    return (others**2).sum(axis=1) - noise
