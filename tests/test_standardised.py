"""The deviation along the gradient, against its formula written out in loops."""

import numpy as np
import pytest
from scipy import stats

from experiments.statistics import GROUPS, Groups
from experiments.statistics.standardised import Standardised

FLOOR = 0.02
GRADIENT = np.array([1.0, -0.5, 2.0])
DEVIATION = np.array([3.0, -0.4, -1.5]) * FLOOR
"""Beyond the floor upwards, within it, and beyond it downwards."""


def drawn(seed: int, mean: np.ndarray, noise: float) -> np.ndarray:
    """Group means [G, P] whose average is exact, so that it is known on which side of the floor it lies."""
    rows = np.random.default_rng(seed).normal(scale=noise, size=(GROUPS, len(mean)))
    return mean + rows - rows.mean(axis=0)


def estimates() -> Groups:
    rows = drawn(0, GRADIENT + DEVIATION, 0.3)
    return Groups(100, rows, np.full_like(rows, 99 * 9.0))


def unseen_of(groups: Groups) -> float:
    """Ten events of the size of the largest fourth moment over the variance."""
    sums = groups.deviations + groups.count * (groups.mean - groups.overall_mean) ** 2
    fourth = sums.var(axis=0, ddof=1) / groups.count + groups.variance**2
    events = (groups.variance**2 * groups.replicates / (fourth - groups.variance**2)).sum()
    size = np.sqrt(fourth / groups.variance).max() * (1 + 10 / events)
    return 10 * (size / groups.replicates) ** 2


def test_along_against_a_measured_reference():
    """Pairs of different groups, then the correction that takes each mean deviation to its soft threshold."""
    groups, reference = estimates(), drawn(1, GRADIENT, 0.2)
    rows = groups.mean - reference
    precision = 1 / (rows.var(axis=0, ddof=1) / GROUPS + unseen_of(groups) + FLOOR**2)
    pairs = [
        (reference[k] * precision * rows[other]).sum() for k in range(GROUPS) for other in range(GROUPS) if other != k
    ]
    correction = np.array([-FLOOR, -DEVIATION[1], FLOOR])
    value, error = Standardised.of(groups, reference, FLOOR).along
    assert value == pytest.approx(np.mean(pairs) + (GRADIENT * precision * correction).sum())
    left_out = [along_pairs(np.delete(reference, k, 0), np.delete(rows, k, 0), precision) for k in range(GROUPS)]
    sampling = np.sqrt((GROUPS - 1) * np.var(left_out))
    beside = np.linalg.norm(GRADIENT * precision * np.sqrt(FLOOR**2 + unseen_of(groups)))
    assert error == pytest.approx(np.hypot(sampling, beside))


def along_pairs(reference: np.ndarray, rows: np.ndarray, precision: np.ndarray) -> float:
    products = (reference * precision) @ rows.T
    size = len(rows)
    return (products.sum() - np.trace(products)) / (size * (size - 1))


def test_along_against_an_exact_gradient():
    """Each group is weighed by the variances of the others."""
    groups = estimates()
    rows = groups.mean - GRADIENT
    noise = groups.leave_one_out_variance() / groups.replicates
    least = unseen_of(groups) + FLOOR**2
    own = [(GRADIENT * rows[k] / (noise[k] + least)).sum() for k in range(GROUPS)]
    precision = 1 / (groups.variance / groups.replicates + least)
    correction = (GRADIENT * precision * np.array([-FLOOR, -DEVIATION[1], FLOOR])).sum()
    value, error = Standardised.of(groups, GRADIENT, FLOOR).along
    assert value == pytest.approx(np.mean(own) + correction)
    sampling = np.std(own, ddof=1) / np.sqrt(GROUPS)
    assert error == pytest.approx(np.hypot(sampling, np.linalg.norm(GRADIENT * precision * np.sqrt(least))))


@pytest.mark.parametrize("measured", [False, True])
def test_deviations_within_the_floor_are_no_bias_along(measured: bool):
    """What is left of them is the noise of pairing different groups, far below the rounding that was taken out."""
    rows = drawn(0, GRADIENT * (1 + 0.9 * FLOOR), 1e-6)
    groups = Groups(100, rows, np.full_like(rows, 1e-9))
    reference = drawn(1, GRADIENT, 1e-6) if measured else GRADIENT
    found = Standardised.of(groups, reference, 0.9 * FLOOR * np.abs(GRADIENT).max())
    assert abs(found.along[0]) < 1e-3 * abs(found.direction @ found.deviation.mean)
    assert found.p_along() > 0.9


def in_unison(entries: int) -> np.ndarray:
    """Group means [G, P] of variance 1: one figure that many entries share, and ten of their own, not correlated.

    The covariance has the eigenvalues `entries` and ten times 1, to the last digit.
    """
    rows = np.random.default_rng(0).standard_normal((GROUPS, 11))
    columns = np.linalg.qr(rows - rows.mean(axis=0))[0] * np.sqrt(GROUPS - 1)
    return np.concatenate([np.repeat(columns[:, :1], entries, axis=1), columns[:, 1:]], axis=1)


@pytest.mark.parametrize("tail", [0.05, 0.001])
@pytest.mark.parametrize("entries", [1, 10])
def test_the_sum_of_squares_has_the_tail_of_its_law(entries: int, tail: float):
    """A sum of chi-squares, drawn: two moments in place of three, or a degree of freedom more, are off by a factor."""
    spread, count = in_unison(entries), 10**6
    law = entries * np.random.default_rng(1).chisquare(1, 10**6) + np.random.default_rng(2).chisquare(10, 10**6)
    shift = np.sqrt(np.quantile(law, 1 - tail) / spread.shape[1])
    groups = Groups(count, np.sqrt(GROUPS) * spread + shift, np.full_like(spread, (count - 1.0) * count * GROUPS))
    found = Standardised.of(groups, np.zeros(spread.shape[1]), 0.0).p_together()
    assert tail / 1.5 < found < 1.5 * tail


def test_the_projection_has_as_many_degrees_of_freedom_as_groups_but_one():
    found = Standardised.of(estimates(), GRADIENT, FLOOR)
    value, error = found.along
    values = found.deviation.along(found.direction)
    bend = value / error * stats.skew(values) * (values.std() / np.sqrt(GROUPS) / error) ** 3 / np.sqrt(GROUPS)
    assert bend > 0  # skewness would strengthen it: it stands as it is
    assert found.p_along() == pytest.approx(2 * stats.t.sf(abs(value) / error, GROUPS - 1), rel=1e-12)
