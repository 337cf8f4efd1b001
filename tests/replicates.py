"""Simulated replicates in groups, and their figures by brute force."""

from math import exp

import numpy as np
from scipy import stats

from experiments.statistics import (
    GROUPS,
    Groups,
    Interval,
)

__all__ = ["FLOAT32", "QUANTILE", "gaussian", "jackknife", "merged", "skewed", "summarise", "total", "within_errors"]
FLOAT32 = float(np.finfo(np.float32).eps)


QUANTILE = float(stats.t.ppf(0.975, GROUPS - 1))


def summarise(rows: np.ndarray) -> Groups:
    """[G, n, P] replicates."""
    mean = rows.mean(axis=1)
    return Groups(rows.shape[1], mean, ((rows - mean[:, None]) ** 2).sum(axis=1))


def merged(one: Groups, other: Groups) -> Groups:
    """Both sets of replicates, group by group (Chan, Golub & LeVeque 1983)."""
    count = one.count + other.count
    with np.errstate(invalid="ignore"):
        shift = other.mean - one.mean
        deviations = one.deviations + other.deviations + shift**2 * (one.count * other.count / count)
        return Groups(count, one.mean + shift * (other.count / count), deviations)


def skewed(seed: int = 0, count: int = 20, size: int = 3) -> np.ndarray:
    """Replicates [G, n, P] with mean 0."""
    return np.random.default_rng(seed).exponential(size=(GROUPS, count, size)) - 1


def gaussian(rng: np.random.Generator, mean: np.ndarray, root: np.ndarray, count: int) -> Groups:
    """Summary of Gaussian replicates with covariance root @ root.T, drawn from its own distribution."""
    means = mean + rng.standard_normal((GROUPS, root.shape[1])) @ root.T / np.sqrt(count)
    return Groups(count, means, (root**2).sum(axis=1) * rng.chisquare(count - 1, means.shape))


def jackknife(statistic, rows: np.ndarray) -> Interval:
    """exp(log value +- t se) by leaving out each group in turn, and arms by the skewness of what each group adds."""
    left = np.array([statistic(np.delete(rows, k, axis=0)) for k in range(GROUPS)])
    logs = np.log(left)
    error = np.sqrt((GROUPS - 1) / GROUPS * ((logs - logs.mean()) ** 2).sum())
    bend = min(max(QUANTILE * stats.skew(-left) / np.sqrt(GROUPS) - 0.1, 0.0), 0.4)
    value = statistic(rows)
    low, high = exp(-QUANTILE * error * (1 - bend / 2)), exp(QUANTILE * error * (1 + 2 * bend))
    return Interval(value, value * low, value * high)


def total(rows: np.ndarray) -> float:
    return rows.reshape(-1, rows.shape[-1]).var(axis=0, ddof=1).sum()


def within_errors(samples, truth, errors: float = 4.0) -> bool:
    samples = np.asarray(samples)
    return bool(np.all(np.abs(samples.mean(axis=0) - truth) < errors * samples.std(axis=0) / np.sqrt(len(samples))))
