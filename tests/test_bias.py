"""Squared bias, mean squared error and signal-to-noise ratio, against brute force."""

import numpy as np
import pytest
from replicates import gaussian, jackknife, skewed, summarise, total, within_errors

from experiments.statistics import (
    GROUPS,
    Groups,
    bias_test,
    mean_squared_error,
    signal_to_noise,
    squared_bias,
    total_variance,
)
from experiments.statistics.bias import bias_bounds
from experiments.statistics.deviation import noise_traces

pytestmark = pytest.mark.filterwarnings("error")


def products(rows: np.ndarray) -> np.ndarray:
    return rows @ rows.T


@pytest.mark.parametrize("scales", [[3, 2, 1, 1, 0.5, 0.1], [2] * 5 + [1] * 20 + [0.1] * 20])
def test_noise_traces_are_unbiased(scales):
    rng = np.random.default_rng(0)
    root = np.linalg.qr(rng.standard_normal((len(scales), len(scales))))[0] * scales
    covariance = root @ root.T / GROUPS
    means = rng.standard_normal((3_000, GROUPS, len(scales))) @ root.T
    estimates = [noise_traces(products(x - x.mean(axis=0)), np.diag(covariance)) for x in means]
    powers = [np.trace(np.linalg.matrix_power(covariance, k)) for k in (1, 2, 3)]
    assert within_errors(np.array(estimates)[:, 1:], powers[1:])
    assert estimates[0].first == pytest.approx(powers[0])


def test_noise_traces_stay_within_what_the_variances_allow():
    rng = np.random.default_rng(0)
    noise = np.array([4.0, 1.0, 1.0])
    for scale in (0.0, 1e-3, 1.0, 1e3):
        first, second, third = noise_traces(products(scale * rng.standard_normal((GROUPS, 3))), noise)
        assert first == 6
        assert (noise**2).sum() <= second <= first**2
        assert max((noise**3).sum(), second**2 / first) <= third <= second**1.5 * (1 + 1e-12)


@pytest.mark.parametrize("bias", [0.0, 0.02, 0.5])
def test_squared_bias_is_unbiased_and_may_be_negative(bias):
    rng = np.random.default_rng(0)
    root = np.concatenate([np.eye(5), np.ones((5, 1))], axis=1)
    reference = np.arange(5.0)
    estimates = [squared_bias(gaussian(rng, reference + bias, root, 20), reference).value for _ in range(1000)]
    assert within_errors(estimates, 5 * bias**2)
    assert (min(estimates) < 0) == (bias < 0.1)


def test_bounds_of_the_squared_bias_solve_the_score_equation():
    traces = noise_traces(products(np.random.default_rng(0).standard_normal((GROUPS, 3))), np.full(3, 1 / GROUPS))
    c = traces.third / traces.second
    for bound in bias_bounds(1.3, traces, along=0.0, quantile=2.0):
        assert abs(1.3 - bound) == pytest.approx(2 * np.sqrt(2 * traces.second + 4 * c * bound))
    assert bias_bounds(1.3, traces, 5 * c, 2.0)[1] > bias_bounds(1.3, traces, 0.0, 2.0)[1]


def test_squared_bias_without_noise_is_exact():
    groups = Groups(10, np.full((GROUPS, 2), 3.0), np.zeros((GROUPS, 2)))
    np.testing.assert_allclose(squared_bias(groups, np.array([1.0, 3.0])), [4, 4, 4])
    assert squared_bias(groups, np.array([3.0, 3.0])) == (0, 0, 0)
    assert mean_squared_error(groups, np.array([3.0, 3.0])) == (0, 0, 0)
    np.testing.assert_allclose(mean_squared_error(groups, np.array([1.0, 3.0])), [4, 4, 4])


def test_an_error_that_rounding_or_the_reference_explain_is_none():
    """Where nothing varies: a work map has its columns in units of the best error, and that of rounding is no unit."""
    groups = Groups(10, np.full((GROUPS, 2), 3.0), np.zeros((GROUPS, 2)))
    rounded, biased = np.array([3.0, 3.0 + 1e-6]), np.array([3.0, 3.1])
    assert mean_squared_error(groups, rounded, floor=1e-5) == (0, 0, 0)
    np.testing.assert_allclose(mean_squared_error(groups, rounded, floor=1e-8), [1e-12] * 3)
    np.testing.assert_allclose(mean_squared_error(groups, biased, floor=1e-5), [0.01] * 3)
    noise = 0.1 * np.random.default_rng(0).standard_normal((GROUPS, 2))
    reference = 3 + noise - noise.mean(axis=0)
    value, low, high = mean_squared_error(groups, reference, floor=1e-5)
    assert value == low == 0 < high == squared_bias(groups, reference).high, "what the reference does not know"
    assert mean_squared_error(groups, 4 + noise, floor=1e-5).low > 1


@pytest.mark.parametrize("count", [1, 30])
def test_mean_squared_error_is_the_mean_over_replicates(count):
    rows, reference = skewed(count=count), np.array([0.0, 1.0, -2.0])
    estimate = mean_squared_error(summarise(rows), reference)
    np.testing.assert_allclose(estimate, jackknife(lambda x: ((x - reference) ** 2).sum(-1).mean(), rows), rtol=1e-9)
    groups = summarise(rows)
    assert estimate.value == pytest.approx(total_variance(groups).value + squared_bias(groups, reference).value)


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_noise_of_a_measured_reference_is_taken_out(shared):
    rng = np.random.default_rng(0)
    bias, draws = np.array([0.1, 0.0, 0.0]), []
    for _ in range(1000):
        groups = gaussian(rng, bias, np.eye(3), 20)
        reference = 0.2 * rng.standard_normal((GROUPS, 3)) + shared * (groups.mean - bias)
        draws.append((squared_bias(groups, reference).value, mean_squared_error(groups, reference).value))
    assert within_errors(draws, [0.01, 3.01])


def test_squared_bias_against_a_measured_reference_pairs_distinct_groups():
    groups, reference = summarise(skewed()), skewed(1).mean(axis=1)
    products = (groups.mean - reference) @ (groups.mean - reference).T
    distinct = products[~np.eye(GROUPS, dtype=bool)].mean()
    assert squared_bias(groups, reference).value == pytest.approx(distinct)


def test_many_parameters_need_no_square_matrix():
    rng = np.random.default_rng(0)
    mean = np.ones(100_000)  # a P x P matrix would take 80 GB
    groups = Groups(100, mean + rng.standard_normal((GROUPS, mean.size)) / 10, rng.chisquare(99, (GROUPS, mean.size)))
    assert squared_bias(groups, mean).low < 0 < squared_bias(groups, mean).high
    assert bias_test(groups, mean, 0.0).verdict == "unbiased"
    assert bias_test(groups, 1.01 * mean, 0.0).verdict == "biased"


def test_signal_to_noise_ratio():
    groups = gaussian(np.random.default_rng(0), np.full(4, 3.0), np.eye(4), 100)
    estimate = signal_to_noise(groups)
    assert estimate is not None
    signal = squared_bias(groups, np.zeros(4)).value
    assert estimate.value == pytest.approx(np.sqrt(signal / total_variance(groups).value))
    assert estimate.low < 3 < estimate.high


def test_interval_of_a_strong_signal_is_that_of_the_paired_jackknife():
    rows = 3 + skewed(count=200)

    def ratio_of(rows: np.ndarray) -> float:
        flat = rows.reshape(-1, rows.shape[-1])
        return float(np.sqrt(((flat.mean(axis=0) ** 2).sum() - total(rows) / len(flat)) / total(rows)))

    estimate, expected = signal_to_noise(summarise(rows)), jackknife(ratio_of, rows)
    assert estimate is not None
    assert estimate.value == pytest.approx(expected.value)
    # The arms come from two estimates of one error, and only the leading order of both agrees.
    np.testing.assert_allclose(
        np.log(estimate) - np.log(estimate.value), np.log(expected) - np.log(expected.value), rtol=0.1
    )


def test_signal_that_is_not_positive_has_no_ratio():
    mean = np.tile([1.0, -1.0], GROUPS // 2)[:, None] * np.ones(2)
    assert signal_to_noise(Groups(10, mean, np.ones((GROUPS, 2)))) is None
