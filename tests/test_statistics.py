"""Formulas of `experiments.statistics` against brute force, their edge cases and their invariances."""

from functools import partial
from math import exp, inf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
    signal_to_noise,
    squared_bias,
    total_variance,
    undecided,
    work_normalized,
)
from experiments.statistics.bias import bias_bounds, noise_traces

FLOAT32 = float(np.finfo(np.float32).eps)
QUANTILE = float(stats.t.ppf(0.975, GROUPS - 1))


pytestmark = pytest.mark.filterwarnings("error")


def summarise(rows: np.ndarray) -> Groups:
    """[G, n, P] replicates."""
    mean = rows.mean(axis=1)
    return Groups(rows.shape[1], mean, ((rows - mean[:, None]) ** 2).sum(axis=1))


def skewed(seed: int = 0, count: int = 20, size: int = 3) -> np.ndarray:
    """Replicates [G, n, P] with mean 0."""
    return np.random.default_rng(seed).exponential(size=(GROUPS, count, size)) - 1


def gaussian(rng: np.random.Generator, mean: np.ndarray, root: np.ndarray, count: int) -> Groups:
    """Summary of Gaussian replicates with covariance root @ root.T, drawn from its own distribution."""
    means = mean + rng.standard_normal((GROUPS, root.shape[1])) @ root.T / np.sqrt(count)
    return Groups(count, means, (root**2).sum(axis=1) * rng.chisquare(count - 1, means.shape))


def jackknife(statistic, rows: np.ndarray) -> Interval:
    """exp(log value +- t se) by leaving out each group in turn, as a textbook writes it."""
    logs = np.log([statistic(np.delete(rows, k, axis=0)) for k in range(GROUPS)])
    error = np.sqrt((GROUPS - 1) / GROUPS * ((logs - logs.mean()) ** 2).sum())
    value = statistic(rows)
    return Interval(value, value * exp(-QUANTILE * error), value * exp(QUANTILE * error))


def total(rows: np.ndarray) -> float:
    return rows.reshape(-1, rows.shape[-1]).var(axis=0, ddof=1).sum()


def within_errors(samples, truth, errors: float = 4.0) -> bool:
    samples = np.asarray(samples)
    return bool(np.all(np.abs(samples.mean(axis=0) - truth) < errors * samples.std(axis=0) / np.sqrt(len(samples))))


# Groups


@given(st.integers(1, 19), st.floats(-1e4, 1e4), st.integers(0, 99))
@settings(deadline=None)
def test_merge_equals_one_pass(split, offset, seed):
    rows = skewed(seed) + offset
    whole, merged = summarise(rows), summarise(rows[:, :split]).merge(summarise(rows[:, split:]))
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(merged.deviations, whole.deviations, rtol=1e-9)


@given(st.integers(1, 9), st.integers(10, 19), st.integers(0, 99))
@settings(deadline=None)
def test_merge_is_associative_and_commutative(first, second, seed):
    a, b, c = (summarise(x) for x in np.split(skewed(seed), [first, second], axis=1))
    for other in (a.merge(b.merge(c)), b.merge(a).merge(c), c.merge(b.merge(a))):
        np.testing.assert_allclose(other.mean, a.merge(b).merge(c).mean, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(other.deviations, a.merge(b).merge(c).deviations, rtol=1e-12)


def test_merge_leaves_its_inputs_alone():
    a, b = summarise(skewed(0)), summarise(skewed(1))
    before = [x.copy() for x in (a.mean, a.deviations, b.mean, b.deviations)]
    a.merge(b)
    for x, y in zip((a.mean, a.deviations, b.mean, b.deviations), before, strict=True):
        np.testing.assert_array_equal(x, y)


def test_pooled_moments_are_those_of_all_replicates():
    rows = skewed()
    groups, flat = summarise(rows), rows.reshape(-1, 3)
    assert groups.replicates == len(flat)
    np.testing.assert_allclose(groups.overall_mean, flat.mean(axis=0))
    np.testing.assert_allclose(groups.variance, flat.var(axis=0, ddof=1))
    np.testing.assert_allclose(groups.leave_one_out_variance()[5], np.delete(rows, 5, 0).reshape(-1, 3).var(0, ddof=1))


# Variance


@pytest.mark.parametrize("count", [1, 2, 50])
def test_total_variance_is_a_log_jackknife(count):
    rows = skewed(count=count)
    np.testing.assert_allclose(total_variance(summarise(rows)), jackknife(total, rows), rtol=1e-9)
    each = np.transpose(parameter_variances(summarise(rows)))
    np.testing.assert_allclose(each, np.array([jackknife(total, rows[..., [p]]) for p in range(3)]), rtol=1e-9)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e12])
def test_constant_estimates_have_variance_zero(constant):
    rows = np.full((GROUPS, 30, 2), constant)
    groups = summarise(rows[:, :7]).merge(summarise(rows[:, 7:]))
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


# Bias, mean squared error, signal-to-noise ratio


@pytest.mark.parametrize("scales", [[3, 2, 1, 1, 0.5, 0.1], [2] * 5 + [1] * 20 + [0.1] * 20])
def test_noise_traces_are_unbiased(scales):
    rng = np.random.default_rng(0)
    root = np.linalg.qr(rng.standard_normal((len(scales), len(scales))))[0] * scales
    covariance = root @ root.T / GROUPS
    means = rng.standard_normal((3_000, GROUPS, len(scales))) @ root.T
    estimates = [noise_traces(x - x.mean(axis=0), np.diag(covariance)) for x in means]
    powers = [np.trace(np.linalg.matrix_power(covariance, k)) for k in (1, 2, 3)]
    assert within_errors(np.array(estimates)[:, 1:], powers[1:])
    assert estimates[0].first == pytest.approx(powers[0])


def test_noise_traces_stay_within_what_the_variances_allow():
    rng = np.random.default_rng(0)
    noise = np.array([4.0, 1.0, 1.0])
    for scale in (0.0, 1e-3, 1.0, 1e3):
        first, second, third = noise_traces(scale * rng.standard_normal((GROUPS, 3)), noise)
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
    traces = noise_traces(np.random.default_rng(0).standard_normal((GROUPS, 3)), np.full(3, 1 / GROUPS))
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


# Is it biased?


def until_decided(rng: np.random.Generator, gradient: np.ndarray, root: np.ndarray, floor: float) -> Groups:
    groups = gaussian(rng, gradient, root, 320)
    while undecided(groups, gradient, floor):
        groups = groups.merge(gaussian(rng, gradient, root, groups.count // 2))
    return groups


def shifted(groups: Groups, bias: np.ndarray) -> Groups:
    return Groups(groups.count, groups.mean + bias, groups.deviations)


def one_percent_errors(gradient: np.ndarray) -> dict[str, np.ndarray]:
    signs = np.where(np.arange(gradient.size) % 2, -1, 1)
    return {
        "every entry": 0.01 * gradient,
        "alternating signs": 0.01 * signs * np.abs(gradient),
        "a single entry": 0.01 * np.linalg.norm(gradient) * np.eye(gradient.size)[0],
    }


@pytest.mark.parametrize("size, correlated", [(1, False), (10, False), (30, True)])
def test_one_percent_errors_are_seen_once_decided(size, correlated):
    gradient = np.random.default_rng(5).standard_normal(size) + 0.5
    root = np.concatenate([np.eye(size), np.full((size, 1), float(correlated))], axis=1)
    floor, seeds = rounding_floor(FLOAT32, gradient), range(100)
    found = {name: 0 for name in one_percent_errors(gradient)}
    confirmed = 0
    for seed in seeds:
        groups = until_decided(np.random.default_rng(seed), gradient, root, floor)
        confirmed += bias_test(groups, gradient, floor).verdict == "unbiased"
        for name, error in one_percent_errors(gradient).items():
            found[name] += bias_test(shifted(groups, error), gradient, floor).verdict == "biased"
    least = stats.binom.ppf(1e-4, len(seeds), 0.99)  # the detectable bias is defined by a power of 0.99
    assert min(found.values()) >= least, found
    assert confirmed >= stats.binom.ppf(1e-4, len(seeds), 0.98)


def test_detectable_bias_is_detected_99_times_in_100():
    gradient, seeds, found = np.array([3.0]), range(600), np.zeros(2)
    for seed in seeds:
        groups = gaussian(np.random.default_rng(seed), gradient, np.eye(1), 100)
        detectable = bias_test(groups, gradient, 0.0).detectable
        for i, share in enumerate((1.0, 0.5)):
            verdict = bias_test(shifted(groups, share * detectable * gradient), gradient, 0.0).verdict
            found[i] += verdict == "biased"
    assert found[0] >= stats.binom.ppf(1e-3, len(seeds), 0.99)
    assert found[1] <= stats.binom.ppf(1 - 1e-3, len(seeds), 0.5)  # nor is it overstated


def typical(size: int, error: float) -> Groups:
    """Independent groups about 1, every overall mean off by its standard error `error`, up and down in turn."""
    spread = np.random.default_rng(0).standard_normal((GROUPS, size))
    spread = (spread - spread.mean(axis=0)) / spread.std(axis=0, ddof=1)
    mean = 1 + error * np.where(np.arange(size) % 2, -1, 1) + np.sqrt(GROUPS) * error * spread
    return Groups(1000, mean, np.full_like(mean, GROUPS * 1000 * 999 * error**2))


@pytest.mark.parametrize(
    "size, error, seen, verdict",
    [
        (1, 0.01 / 5.7, False, "undetermined"),  # bounded, but 6 standard errors are needed to be seen
        (1, 0.01 / 7, True, "unbiased"),
        (400, 0.2 / np.sqrt(50), True, "undetermined"),  # seen along the gradient, not bounded elsewhere
        (400, 0.2 / np.sqrt(220), True, "unbiased"),
    ],
)
def test_confirming_takes_both_power_and_a_small_squared_bias(size, error, seen, verdict):
    groups, gradient = typical(size, error), np.ones(size)
    result = bias_test(groups, gradient, 0.0)
    assert (result.detectable <= 0.01) == seen
    assert result.verdict == verdict
    assert undecided(groups, gradient, 0.0) == (verdict == "undetermined")


def test_p_value_is_three_times_the_smallest_of_three():
    rng, gradient = np.random.default_rng(0), np.linspace(0.5, 2, 300)
    groups = gaussian(rng, gradient, np.eye(300), 100)
    everything = shifted(groups, 0.003 * gradient)
    directions = gradient / groups.leave_one_out_variance()  # those of the other groups
    values = ((everything.mean - gradient) * directions).sum(axis=1)
    along = float(np.asarray(stats.ttest_1samp(values, 0.0))[1])
    assert bias_test(everything, gradient, 0.0).p_value == pytest.approx(3 * along, rel=1e-6, abs=0)
    single = shifted(groups, 0.1 * np.eye(300)[7])
    score = (single.overall_mean - gradient) / np.sqrt(groups.variance / groups.replicates)
    each = 300 * 2 * stats.norm.sf(np.abs(score).max())
    assert bias_test(single, gradient, 0.0).p_value == pytest.approx(3 * each, rel=1e-6, abs=0)
    spread = shifted(groups, 0.02 * rng.choice([-1, 1], 300))
    squares = (spread.overall_mean - gradient) ** 2 * groups.replicates / groups.variance
    # Independent entries: the sum of squares is chi-square with 300 degrees of freedom.
    together = bias_test(spread, gradient, 0.0).p_value
    assert np.log(together) == pytest.approx(np.log(3 * stats.chi2.sf(squares.sum(), 300)), rel=0.1)


def test_too_few_replicates_are_undetermined():
    gradient = np.ones(5)
    groups = gaussian(np.random.default_rng(0), gradient, np.eye(5), 10)
    assert undecided(groups, gradient, 0.0)
    assert bias_test(groups, gradient, 0.0).verdict == "undetermined"


@pytest.mark.parametrize("measured", [False, True])
def test_rounding_is_no_bias(measured):
    exact = np.array([1.0, -0.5, 0.001])
    reference = np.tile(exact, (GROUPS, 1)) if measured else exact
    floor = rounding_floor(FLOAT32, reference)
    mean = np.tile(exact + np.array([10, -20, 5]) * FLOAT32, (GROUPS, 1))
    groups = Groups(320, mean, np.zeros_like(mean))
    assert not undecided(groups, reference, floor)
    result = bias_test(groups, reference, floor)
    assert (result.p_value, result.verdict) == (1, "unbiased")
    assert result.detectable < 0.001
    assert bias_test(groups, reference, 0.0).verdict == "biased"
    for error in one_percent_errors(exact).values():
        assert bias_test(shifted(groups, error), reference, floor).verdict == "biased"


@pytest.mark.parametrize("noisy", [0, 100])
def test_rounding_adds_up_to_no_bias(noisy):
    """Every entry is off by nearly the floor, in one direction."""
    gradient = np.ones(200)
    groups = gaussian(np.random.default_rng(0), gradient, np.eye(200) * (np.arange(200) < noisy), 20_000)
    floor = rounding_floor(FLOAT32, gradient)
    assert bias_test(shifted(groups, 0.9 * floor * gradient), gradient, floor).verdict == "unbiased"
    assert bias_test(shifted(groups, 0.9 * floor * gradient), gradient, 0.0).verdict == "biased"
    assert bias_test(shifted(groups, 10 * floor * gradient), gradient, floor).verdict == "biased"


def test_a_deviation_just_beyond_the_floor_is_no_bias():
    gradient = np.array([1.0, -0.5, 0.001])
    groups = Groups(320, np.tile(gradient, (GROUPS, 1)), np.zeros((GROUPS, 3)))
    floor = rounding_floor(FLOAT32, gradient)
    assert bias_test(shifted(groups, 2 * floor * np.sign(gradient)), gradient, floor).verdict == "unbiased"


def test_rounding_limits_what_can_be_detected():
    groups = Groups(320, np.ones((GROUPS, 4)), np.zeros((GROUPS, 4)))
    quantiles = stats.t.ppf([1 - 0.001 / 6, 0.99], GROUPS - 1).sum()
    # As a shift of every entry, and as noise of independent entries.
    assert bias_test(groups, np.ones(4), 0.001).detectable == pytest.approx(0.001 * (1 + quantiles / 2))
    assert bias_test(groups, np.ones(4), rounding_floor(2.0**-8, np.ones(4))).verdict == "undetermined"


def test_rounding_floor_is_relative_to_the_largest_entry():
    assert rounding_floor(2.0**-10, np.array([1.0, -4.0])) == 0.25
    assert rounding_floor(2.0**-10, np.tile([1.0, -4.0], (GROUPS, 1))) == 0.25


def test_gradient_of_zero():
    zero = np.zeros(3)
    noisy = gaussian(np.random.default_rng(0), zero, np.eye(3), 100)
    assert bias_test(noisy, zero, 0.0).detectable == inf
    assert bias_test(noisy, zero, 0.0).verdict == "undetermined"
    assert bias_test(shifted(noisy, np.ones(3)), zero, 0.0).verdict == "biased"
    silent = Groups(100, np.zeros((GROUPS, 3)), np.zeros((GROUPS, 3)))
    assert bias_test(silent, zero, 0.0).p_value == 1
    assert bias_test(shifted(silent, np.ones(3)), zero, 0.0).verdict == "biased"


@given(st.floats(-1e3, 1e3), st.integers(0, 99), st.integers(1, 10_000))
@settings(max_examples=50, deadline=None)
def test_whether_to_go_on_never_looks_at_the_deviation(bias, seed, count):
    gradient = np.array([1.0, 2.0])
    groups = gaussian(np.random.default_rng(seed), gradient, np.eye(2), count + 1)
    assert undecided(groups, gradient, 0.0) == undecided(shifted(groups, np.full(2, bias)), gradient, 0.0)


# Rates and ratios


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
    np.testing.assert_allclose(np.log([low, high]), np.log(value) + QUANTILE * error * np.array([-1, 1]))
    assert log_standard_error(Interval(0.0, 0.0, 0.0)) == 0


def test_cosine_has_a_students_interval():
    cosines = np.random.default_rng(0).uniform(0.2, 0.6, GROUPS)
    expected = stats.t.interval(0.95, GROUPS - 1, cosines.mean(), stats.sem(cosines))
    np.testing.assert_allclose(cosine(cosines), [cosines.mean(), *expected])
    assert cosine(np.ones(GROUPS)) == (1, 1, 1)


def test_work_normalized_figures_carry_both_errors():
    quantity = Interval(2.0, 2.0 * exp(-QUANTILE * 0.1), 2.0 * exp(QUANTILE * 0.1))
    steady, noisy = np.full(9, 3.0), 3.0 * np.exp(np.linspace(-0.5, 0.5, 9))
    np.testing.assert_allclose(work_normalized(quantity, 0.1, steady), 3 * np.array(quantity))
    both, time_only = work_normalized(quantity, 0.1, noisy), work_normalized(quantity, 0.0, noisy)
    assert both.value == pytest.approx(6)
    arms = [np.log(x.high / x.value) ** 2 for x in (both, time_only, quantity)]
    assert arms[0] == pytest.approx(arms[1] + arms[2])
    assert arms[1] > 0


def test_work_normalized_edges():
    assert work_normalized(Interval(0.0, 0.0, 0.0), 0.0, np.array([1.0, 2.0])) == (0, 0, 0)
    assert work_normalized(Interval(2.0, 1.0, 4.0), 0.3, np.array([3.0])) == (6, 0, inf)
    assert work_normalized(Interval(2.0, 0.0, inf), inf, np.array([3.0, 3.0])) == (6, 0, inf)
    assert all(map(isnan, work_normalized(Interval(np.nan, np.nan, np.nan), np.nan, np.array([3.0, 4.0]))))


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


# Everything at once


@pytest.mark.parametrize("poison", [np.nan, inf])
@pytest.mark.parametrize("measured", [False, True])
def test_nothing_crashes_on_nonfinite_estimates(poison, measured):
    groups = summarise(skewed())
    groups.mean[2, 1] = groups.deviations[2, 1] = poison
    groups = groups.merge(groups)
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
    assert not undecided(groups, reference, 0.0)
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
    assert undecided(groups, reference, floor) == undecided(scaled, scale * reference, scale * floor)


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
