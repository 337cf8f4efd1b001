"""Moments of groups, and total variances with their intervals, against brute force."""

from math import inf, isnan

import numpy as np
import pytest
from replicates import FLOAT32, jackknife, merged, skewed, summarise, total, within_errors

from experiments.statistics import (
    GROUPS,
    Groups,
    kurtosis,
    parameter_variances,
    rounding_floor,
    signal_to_noise,
    total_variance,
)

pytestmark = pytest.mark.filterwarnings("error")


def test_pooled_moments_are_those_of_all_replicates():
    rows = skewed()
    groups, flat = summarise(rows), rows.reshape(-1, 3)
    assert groups.replicates == len(flat)
    np.testing.assert_allclose(groups.overall_mean, flat.mean(axis=0))
    np.testing.assert_allclose(groups.variance, flat.var(axis=0, ddof=1))
    np.testing.assert_allclose(groups.leave_one_out_variance()[5], np.delete(rows, 5, 0).reshape(-1, 3).var(0, ddof=1))


@pytest.mark.parametrize("count", [1, 2, 50])
def test_total_variance_is_a_log_jackknife(count):
    rows = skewed(count=count)
    np.testing.assert_allclose(total_variance(summarise(rows)), jackknife(total, rows), rtol=1e-9)
    each = np.transpose(parameter_variances(summarise(rows)))
    np.testing.assert_allclose(each, np.array([jackknife(total, rows[..., [p]]) for p in range(3)]), rtol=1e-9)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e12])
def test_constant_estimates_have_variance_zero(constant):
    rows = np.full((GROUPS, 30, 2), constant)
    groups = merged(summarise(rows[:, :7]), summarise(rows[:, 7:]))
    assert total_variance(groups) == (0, 0, 0)
    assert all((x == 0).all() for x in parameter_variances(groups))
    assert signal_to_noise(groups) is None
    assert isnan(kurtosis(groups))


def test_variance_at_the_level_of_rounding_is_zero():
    reference = np.array([1.0, 1e-3])
    noise = np.random.default_rng(0).uniform(-4, 4, (GROUPS, 30, 2)) * FLOAT32
    groups, floor = summarise(reference + noise), rounding_floor(FLOAT32, reference)
    assert total_variance(groups, floor) == (0, 0, 0)
    assert all((x == 0).all() for x in parameter_variances(groups, floor))
    assert signal_to_noise(groups, floor) is None
    assert total_variance(groups).low > 0  # real, had it been computed in float64
    assert total_variance(summarise(reference + 1e3 * noise), floor).low > 0


def test_one_constant_parameter_does_not_hide_the_other():
    rows = skewed()
    rows[..., 0] = 1.0
    np.testing.assert_allclose(total_variance(summarise(rows)), jackknife(total, rows), rtol=1e-9)
    value, low, high = parameter_variances(summarise(rows))
    assert (value[0], low[0], high[0]) == (0, 0, 0)
    assert (low[1:] > 0).all()
    assert (value[1:] < high[1:]).all()


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_variance_of_a_single_group_says_nothing(offset):
    rows = np.full((GROUPS, 30, 50), offset)
    rows[3] += skewed(size=50, count=30)[3]
    value, low, high = total_variance(summarise(rows))
    assert value == pytest.approx(total(rows))
    assert (low, high) == (0, inf)
    values, lows, highs = parameter_variances(summarise(rows))
    assert (values > 0).all()
    assert (lows == 0).all()
    assert (highs == inf).all()


def test_variance_of_a_single_group_says_nothing_where_the_others_are_rounded():
    rows = 1 + np.random.default_rng(0).uniform(-4, 4, (GROUPS, 30, 50)) * FLOAT32
    rows[3] += skewed(size=50, count=30)[3]
    floor = rounding_floor(FLOAT32, np.ones(50))
    assert total_variance(summarise(rows), floor)[1:] == (0, inf)
    assert (parameter_variances(summarise(rows), floor)[2] == inf).all()


@pytest.mark.parametrize("name, truth", [("uniform", 9 / 5), ("normal", 3), ("laplace", 6)])
def test_kurtosis_is_that_of_the_replicates(name, truth):
    rng = np.random.default_rng(0)
    estimates = [kurtosis(summarise(getattr(rng, name)(size=(GROUPS, 200, 1)))) for _ in range(200)]
    assert within_errors(estimates, truth)


def test_kurtosis_is_the_largest_over_parameters():
    rng = np.random.default_rng(0)
    rows = np.stack([rng.uniform(size=(GROUPS, 500)), rng.laplace(size=(GROUPS, 500))], axis=-1)
    light, heavy = (kurtosis(summarise(rows[..., [p]])) for p in range(2))
    assert kurtosis(summarise(rows)) == pytest.approx(heavy)
    assert heavy > light


def test_sums_of_the_whole_are_those_of_its_parts() -> None:
    rng = np.random.default_rng(5)
    mean, deviations = rng.standard_normal((GROUPS, 5000)) + 3, rng.random((GROUPS, 5000))
    whole, gathered = Groups(7, mean, deviations), Groups(7, mean, deviations)
    gathered.gather([gathered.of(place) for place in (slice(0, 10), slice(10, 4500), slice(4500, 5000))])
    np.testing.assert_allclose(gathered.leave_one_out_total, whole.leave_one_out_total, rtol=1e-12)
    spread = mean - mean.mean(0)
    np.testing.assert_allclose(gathered.spread.products, spread @ spread.T, atol=1e-9)
    np.testing.assert_allclose(gathered.spread.along, spread @ mean.mean(0), atol=1e-9)
    np.testing.assert_allclose(total_variance(gathered), total_variance(whole), rtol=1e-12)
    np.testing.assert_allclose(signal_to_noise(gathered), signal_to_noise(whole), rtol=1e-9)  # type: ignore[arg-type]
