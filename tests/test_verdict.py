"""The verdict on a bias: what is seen, what is undetermined, and what rounding explains."""

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replicates import FLOAT32, gaussian, merged
from scipy import stats

from experiments.statistics import (
    GROUPS,
    Groups,
    bias_test,
    rounding_floor,
    shortage,
)
from experiments.statistics.standardised import Standardised

pytestmark = pytest.mark.filterwarnings("error")


def until_decided(rng: np.random.Generator, gradient: np.ndarray, root: np.ndarray, floor: float) -> Groups:
    groups = gaussian(rng, gradient, root, 320)
    while shortage(groups, gradient, floor) > 1:
        groups = merged(groups, gaussian(rng, gradient, root, groups.count // 2))
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
    assert (shortage(groups, gradient, 0.0) > 1) == (verdict == "undetermined")


def test_p_value_is_three_times_the_smallest_of_three():
    """By textbook formulas; events that were not seen and the skewness of a sample change log p by 1 or 2 %."""
    rng, gradient = np.random.default_rng(0), np.linspace(0.5, 2, 300)
    groups = gaussian(rng, gradient, np.eye(300), 100)
    everything = shifted(groups, 0.003 * gradient)
    directions = gradient / groups.leave_one_out_variance()  # those of the other groups
    values = ((everything.mean - gradient) * directions).sum(axis=1)
    along = float(np.asarray(stats.ttest_1samp(values, 0.0))[1])
    single = shifted(groups, 0.1 * np.eye(300)[7])
    score = (single.overall_mean - gradient) / np.sqrt(groups.variance / groups.replicates)
    each = 300 * 2 * stats.norm.sf(np.abs(score).max())
    spread = shifted(groups, 0.02 * rng.choice([-1, 1], 300))
    # Independent entries: the sum of squares is chi-square with 300 degrees of freedom.
    together = stats.chi2.sf(((spread.overall_mean - gradient) ** 2 * groups.replicates / groups.variance).sum(), 300)
    for biased, smallest, rel in ((everything, along, 0.02), (single, each, 0.04), (spread, together, 0.1)):
        found = bias_test(biased, gradient, 0.0).p_value
        assert np.log(found / 3) == pytest.approx(np.log(smallest), rel=rel)
        test = Standardised.of(biased, gradient, 0.0)
        assert found == 3 * min(test.p_along(), test.p_together(), test.p_each())


def test_too_few_replicates_are_undetermined():
    gradient = np.ones(5)
    groups = gaussian(np.random.default_rng(0), gradient, np.eye(5), 10)
    assert shortage(groups, gradient, 0.0) > 1
    assert bias_test(groups, gradient, 0.0).verdict == "undetermined"


@pytest.mark.parametrize("measured", [False, True])
def test_rounding_is_no_bias(measured):
    exact = np.array([1.0, -0.5, 0.001])
    reference = np.tile(exact, (GROUPS, 1)) if measured else exact
    floor = rounding_floor(FLOAT32, reference)
    mean = np.tile(exact + np.array([10, -20, 5]) * FLOAT32, (GROUPS, 1))
    groups = Groups(320, mean, np.zeros_like(mean))
    assert not (shortage(groups, reference, floor) > 1)
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
    assert (shortage(groups, gradient, 0.0) > 1) == (shortage(shifted(groups, np.full(2, bias)), gradient, 0.0) > 1)
