"""Formulas of `experiments.statistics` against brute force, their edge cases and their invariances."""

from functools import partial
from math import exp, inf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replicates import FLOAT32, QUANTILE, merged, skewed, summarise, total
from scipy import stats

from experiments.statistics import (
    GROUPS,
    Groups,
    Interval,
    bias_test,
    cosine,
    kurtosis,
    leave_one_out_log_variance,
    log_standard_error,
    mean_squared_error,
    parameter_variances,
    ratio,
    relative_half_width,
    rounding_floor,
    shortage,
    signal_to_noise,
    squared_bias,
    total_variance,
    work_normalized,
)

pytestmark = pytest.mark.filterwarnings("error")


def test_relative_half_width_is_the_longer_arm():
    assert relative_half_width(Interval(2.0, 1.0, 4.0)) == 1
    assert relative_half_width(Interval(2.0, 0.5, 2.5)) == 0.75
    assert relative_half_width(Interval(0.0, 0.0, 0.0)) == 0
    assert relative_half_width(Interval(1.0, 0.0, inf)) == inf
    assert relative_half_width(Interval(0.0, 0.0, inf)) == inf
    assert isnan(relative_half_width(Interval(np.nan, np.nan, np.nan)))


def test_log_standard_error_gives_back_the_interval():
    value, low, high = total_variance(summarise(skewed()))
    error = log_standard_error(Interval(value, low, high))
    assert np.log(high / low) == pytest.approx(2 * QUANTILE * error)
    assert np.log(high / value) > QUANTILE * error > np.log(value / low)  # skewed
    assert log_standard_error(Interval(1.0, 0.0, inf)) == inf
    assert log_standard_error(Interval(0.0, 0.0, 0.0)) == 0


def test_cosine_has_a_students_interval():
    cosines = np.random.default_rng(0).uniform(0.2, 0.6, GROUPS)
    expected = stats.t.interval(0.95, GROUPS - 1, cosines.mean(), stats.sem(cosines))
    np.testing.assert_allclose(cosine(cosines), [cosines.mean(), *expected])
    assert cosine(np.ones(GROUPS)) == (1, 1, 1)
    assert cosine(np.full(GROUPS, 1.0 + 1e-7)) == (1.0, 1.0, 1.0), "no cosine is above 1"


def test_work_normalized_figures_carry_both_errors():
    quantity = Interval(2.0, 2.0 * exp(-QUANTILE * 0.1), 2.0 * exp(QUANTILE * 0.1))
    steady, noisy = np.full(9, 3.0), 3.0 * np.exp(np.linspace(-0.5, 0.5, 9))
    np.testing.assert_allclose(work_normalized(quantity, steady), 3 * np.array(quantity))
    both, time_only = work_normalized(quantity, noisy), work_normalized(Interval(2.0, 2.0, 2.0), noisy)
    assert both.value == pytest.approx(6)
    arms = [np.log(x.high / x.value) ** 2 for x in (both, time_only, quantity)]
    assert arms[0] == pytest.approx(arms[1] + arms[2])
    assert arms[1] > 0


def test_work_normalized_figures_keep_the_longer_arm_long():
    product = work_normalized(Interval(2.0, 1.8, 3.0), np.full(9, 3.0))
    np.testing.assert_allclose(product, [6, 5.4, 9])


def test_work_normalized_edges():
    assert work_normalized(Interval(0.0, 0.0, 0.0), np.array([1.0, 2.0])) == (0, 0, 0)
    assert work_normalized(Interval(2.0, 1.0, 4.0), np.array([3.0])) == (6, 0, inf)
    assert work_normalized(Interval(2.0, 0.0, inf), np.array([3.0, 3.0])) == (6, 0, inf)
    assert all(map(isnan, work_normalized(Interval(np.nan, np.nan, np.nan), np.array([3.0, 4.0]))))


def test_ratio_is_paired():
    rows = skewed(count=200)
    a = leave_one_out_log_variance(summarise(rows))
    np.testing.assert_allclose(ratio(a + np.log(3), a), [3, 3, 3])
    other = leave_one_out_log_variance(summarise(2 * rows + 0.1 * skewed(1, count=200)))
    paired = ratio(other, a)
    alone = relative_half_width(total_variance(summarise(rows)))
    assert paired.value == pytest.approx(total(2 * rows + 0.1 * skewed(1, count=200)) / total(rows), rel=1e-3)
    assert relative_half_width(paired) < alone / 5


def test_ratio_with_no_variance():
    some, none = np.zeros(GROUPS), np.full(GROUPS, -inf)
    assert ratio(none, some) == (0, 0, 0)
    assert ratio(some, none) == (inf, inf, inf)
    assert all(map(isnan, ratio(none, none)))


@pytest.mark.parametrize("poison", [np.nan, inf])
@pytest.mark.parametrize("measured", [False, True])
def test_nothing_crashes_on_nonfinite_estimates(poison, measured):
    groups = summarise(skewed())
    groups.mean[2, 1] = groups.deviations[2, 1] = poison
    groups = merged(groups, groups)
    reference = skewed(7).mean(axis=1) if measured else np.ones(3)
    for interval in (
        total_variance(groups),
        squared_bias(groups, reference),
        mean_squared_error(groups, reference),
        signal_to_noise(groups) or [np.nan],
        bias_test(groups, reference, 0.0).p_value * np.ones(1),
        ratio(leave_one_out_log_variance(groups), leave_one_out_log_variance(groups)),
        cosine(np.full(GROUPS, np.nan)),
    ):
        assert all(map(isnan, interval)), interval
    assert bias_test(groups, reference, 0.0).verdict == "undetermined"
    assert not (shortage(groups, reference, 0.0) > 1)
    assert not np.isfinite(kurtosis(groups))
    for column in parameter_variances(groups):
        assert not np.isfinite(column[1])
        assert np.isfinite(column[[0, 2]]).all()


@given(st.floats(1e-6, 1e6), st.booleans(), st.integers(0, 99), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_units_do_not_matter(scale, measured, seed, bias):
    groups = summarise(skewed(seed) + 1 + bias)
    reference = np.ones(3) + (skewed(seed + 1).mean(axis=1) if measured else 0)
    floor = rounding_floor(FLOAT32, reference)
    scaled = Groups(groups.count, scale * groups.mean, scale**2 * groups.deviations)
    assert_scaled = partial(np.testing.assert_allclose, rtol=1e-7, atol=1e-9 * scale**2)
    assert_scaled(total_variance(scaled), scale**2 * np.array(total_variance(groups)))
    for statistic in (squared_bias, mean_squared_error):
        assert_scaled(statistic(scaled, scale * reference), scale**2 * np.array(statistic(groups, reference)))
    assert kurtosis(scaled) == pytest.approx(kurtosis(groups))
    np.testing.assert_allclose(signal_to_noise(scaled), signal_to_noise(groups), rtol=1e-7)  # type: ignore[arg-type]
    one, other = bias_test(groups, reference, floor), bias_test(scaled, scale * reference, scale * floor)
    assert one.verdict == other.verdict
    assert one.p_value == pytest.approx(other.p_value, rel=1e-6, abs=1e-300)
    assert one.detectable == pytest.approx(other.detectable)
    assert (shortage(groups, reference, floor) > 1) == (shortage(scaled, scale * reference, scale * floor) > 1)


@given(st.permutations(range(3)), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_order_of_parameters_and_groups_does_not_matter(order, seed):
    rows, reference = skewed(seed), np.array([0.1, 0.2, 0.3])
    moved = summarise(np.random.default_rng(seed).permutation(rows[..., order], axis=0))
    groups = summarise(rows)
    np.testing.assert_allclose(total_variance(moved), total_variance(groups))
    np.testing.assert_allclose(squared_bias(moved, reference[order]), squared_bias(groups, reference), atol=1e-12)
    np.testing.assert_allclose(
        bias_test(moved, reference[order], 0.0).p_value, bias_test(groups, reference, 0.0).p_value, rtol=1e-6
    )
