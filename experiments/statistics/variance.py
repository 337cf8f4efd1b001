"""Variance of one gradient estimate: in total, per parameter, and how far its interval can be trusted."""

import numpy as np

from experiments.statistics import laws as stats
from experiments.statistics.groups import Groups, jackknife_error
from experiments.statistics.interval import Interval

__all__ = ["kurtosis", "leave_one_out_log_variance", "log_jackknife", "parameter_variances", "total_variance"]


@np.errstate(all="ignore")
def total_variance(groups: Groups, floor: np.ndarray | float = 0.0) -> Interval:
    """Trace of the covariance of one estimate, with the jackknife interval of its logarithm, corrected for skewness.

    The jackknife follows the kurtosis of the estimates; a chi-square interval assumes that of a Gaussian
    (Miller 1968, Efron & Stein 1981). Variance within rounding is none: [0, 0]. Where only one group
    varies nothing is known: [0, inf).

    Args:
        groups: [G, P].
        floor: rounding error of one entry of an estimate, [P] or of all; variances up to its square count as 0.
    """
    negligible = _negligible(groups, floor)
    if (groups.variance <= negligible).all():
        return Interval(0.0, 0.0, 0.0)
    leave_one_out = groups.leave_one_out_total
    varies = ~(leave_one_out <= negligible.sum())  # more than all entries together may vary within rounding
    if not varies.all():
        for place in groups.slices:
            varies |= ~(groups.leave_one_out_variance(place) <= negligible[place]).all(axis=1)
    return log_jackknife(float(groups.variance.sum()), np.where(varies, leave_one_out, 0.0))


@np.errstate(all="ignore")
def parameter_variances(groups: Groups, floor: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`total_variance` for each parameter on its own: value, low, high, each [P]."""
    negligible = _negligible(groups, floor)
    low, high = np.empty((2, groups.mean.shape[1]))
    for place, remaining in groups.leave_one_out():
        remaining[remaining <= negligible[place]] = 0.0
        known = (remaining != 0.0).all(axis=0)
        factors = _factors(remaining)
        low[place], high[place] = np.where(known, groups.variance[place] * factors, [[0.0], [np.inf]])
    zero = groups.variance <= negligible
    value, low, high = (np.where(zero, 0.0, x) for x in (groups.variance, low, high))
    return value, low, high


@np.errstate(all="ignore")
def leave_one_out_log_variance(groups: Groups) -> np.ndarray:
    """Log of the total variance without group k, [G], as `ratio` compares it between estimators."""
    return np.log(groups.leave_one_out_total)


@np.errstate(all="ignore")
def kurtosis(groups: Groups) -> float:
    """Largest kurtosis over the parameters (Gaussian: 3), NaN where no parameter varies.

    From Var(v_k) = (kurtosis - 1) v^2 / n, v_k being the variance of a group of n replicates.
    """
    if groups.count < 2:
        return float("nan")
    spreads = [groups.deviations[:, place].var(axis=0, ddof=1, dtype=np.float64) for place in groups.slices]
    spread = np.concatenate(spreads) / (groups.count - 1) ** 2
    varies = ~(groups.variance <= groups.rounding**2)
    values = 1 + groups.count * spread[varies] / groups.variance[varies] ** 2
    return float(values.max()) if values.size else float("nan")


@np.errstate(all="ignore")
def log_jackknife(value: float, leave_one_out: np.ndarray) -> Interval:
    """The value times `_factors` of the leave-one-group-out values [G]; zeros and NaN as in `total_variance`."""
    if not (np.isfinite(value) and np.isfinite(leave_one_out).all()):
        return Interval(float("nan"), float("nan"), float("nan"))
    if value <= 0 or (leave_one_out <= 0).any():
        return Interval(value, min(value, 0.0), float("inf"))
    low, high = value * _factors(leave_one_out)
    return Interval(value, float(low), float(high))


def _factors(leave_one_out: np.ndarray) -> np.ndarray:
    """The factors of the value that bound its 95 % interval: exp(-t se (1 - s / 2)) and exp(t se (1 + 2 s)).

    s = a t - 0.1, kept between 0 and 0.4, for the skewness a sqrt(G) of what the groups contribute. Hall's correction
    of Student's t (1992) takes a t / 3 from one arm and adds it to the other, less t se / 2, which the logarithm has
    done. But the skewness of few values is not that of their law. Where the law is symmetric it is noise, of about 0.1.
    Where tails are heavy it is too small, and so is the standard error, unless a rare large value was among them: then
    both are large, and so is the value, whence a longer arm above would help only where none is needed. The numbers
    were chosen by simulation of 30 laws, from light tails to a kurtosis of 900.

    Args:
        leave_one_out: [G, ...].
    """
    size, quantile = len(leave_one_out), stats.t.ppf(0.975, len(leave_one_out) - 1)
    arm = quantile * jackknife_error(np.log(leave_one_out))
    bend = np.clip(-quantile * _skewness(leave_one_out) / np.sqrt(size) - 0.1, 0.0, 0.4)
    return np.exp(np.stack([-arm * (1 - bend / 2), arm * (1 + 2 * bend)]))


def _skewness(values: np.ndarray) -> np.ndarray:
    """Over axis 0; 0 where nothing varies."""
    about = values - values.mean(axis=0)
    squares = about**2
    return np.nan_to_num((squares * about).mean(axis=0) / squares.mean(axis=0) ** 1.5)


def _negligible(groups: Groups, floor: np.ndarray | float) -> np.ndarray:
    return np.maximum(floor, groups.rounding) ** 2
