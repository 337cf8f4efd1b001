"""How often 95 % intervals hold the truth, and how often the test of bias raises a false alarm, over many seeds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy import stats

from experiments.statistics import (
    ALPHA,
    GROUPS,
    Groups,
    Interval,
    bias_test,
    cosine,
    leave_one_out_log_variance,
    mean_squared_error,
    parameter_variances,
    ratio,
    rounding_floor,
    signal_to_noise,
    squared_bias,
    total_variance,
    work_normalized,
)

pytestmark = pytest.mark.filterwarnings("error")

Draw = Callable[[np.random.Generator], Groups]
FLOAT32 = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Case:
    """A simulated estimator of known mean and variances."""

    draw: Draw
    mean: np.ndarray
    variance: np.ndarray
    replicates: int

    @property
    def noise(self) -> float:
        """Standard deviation of the overall mean."""
        return float(np.sqrt(self.variance.sum() / self.replicates))


def summarise(rows: np.ndarray) -> Groups:
    """[G, n, P] replicates."""
    mean = rows.mean(axis=1)
    return Groups(rows.shape[1], mean, ((rows - mean[:, None]) ** 2).sum(axis=1))


def gaussian(size: int, correlated: float = 0.0, count: int = 320) -> Case:
    """Gaussian replicates, drawn by the distribution of their summary; eigenvalues 1 and 1 + correlated * size."""
    mean = np.ones(size)
    root = np.concatenate([np.eye(size), np.full((size, 1), np.sqrt(correlated))], axis=1)
    variance = (root**2).sum(axis=1)

    def draw(rng: np.random.Generator) -> Groups:
        means = mean + rng.standard_normal((GROUPS, size + 1)) @ root.T / np.sqrt(count)
        return Groups(count, means, variance * rng.chisquare(count - 1, means.shape))

    return Case(draw, mean, variance, GROUPS * count)


def score_function(offset: float, size: int = 2, count: int = 320) -> Case:
    """Score-function gradient of E (x - k)^2 in mean and scale of `size` normals, mu - k = offset, sigma = 1.

    Products of a cost and a score: skewed, and of kurtosis up to several hundred.
    """
    mean = np.repeat([2 * offset, 2.0], size)
    variance = np.repeat([offset**4 + 14 * offset**2 + 15, 2 * offset**4 + 60 * offset**2 + 74], size)

    def draw(rng: np.random.Generator) -> Groups:
        noise = rng.standard_normal((GROUPS, count, size))
        cost = (offset + noise) ** 2
        return summarise(np.concatenate([cost * noise, cost * (noise**2 - 1)], axis=-1))

    return Case(draw, mean, variance, GROUPS * count)


CASES = {
    "one parameter": (gaussian(1), 500),
    "independent": (gaussian(20), 500),
    "correlated": (gaussian(50, correlated=1.0), 500),
    "score function": (score_function(1.0), 500),
    "score function at the optimum": (score_function(0.0), 500),
}


def coverage(intervals: list[Interval], truth: float) -> float:
    return float(np.mean([x.low <= truth <= x.high for x in intervals]))


def as_promised(share: float, seeds: int) -> bool:
    """Consistent, at 1 %, with a true coverage between 90 and 98 %."""
    return bool(stats.binom.ppf(0.01, seeds, 0.90) <= share * seeds <= stats.binom.ppf(0.99, seeds, 0.98))


@cache
def draws(name: str) -> list[Groups]:
    case, seeds = CASES[name]
    return [case.draw(np.random.default_rng(seed)) for seed in range(seeds)]


@pytest.mark.parametrize("name", CASES)
def test_intervals_cover(name):
    case, seeds = CASES[name]
    samples, variance = draws(name), float(case.variance.sum())
    found = {"variance": coverage([total_variance(x) for x in samples], variance)}
    first = [Interval(*(float(column[0]) for column in parameter_variances(x))) for x in samples]
    found["first variance"] = coverage(first, float(case.variance[0]))
    ratios = [x for x in map(signal_to_noise, samples) if x is not None]
    found["signal to noise"] = coverage(ratios, float(np.linalg.norm(case.mean) / np.sqrt(variance)))
    # Biases from none, over as large as their noise, to beyond doubt; in the direction of most noise.
    direction = (case.variance == case.variance.max()) / np.sqrt((case.variance == case.variance.max()).sum())
    for size in (0.0, 1.0, 30.0):
        reference = case.mean - size * case.noise * direction
        squared = (size * case.noise) ** 2
        found[f"squared bias {size}"] = coverage([squared_bias(x, reference) for x in samples], squared)
        found[f"error {size}"] = coverage([mean_squared_error(x, reference) for x in samples], variance + squared)
    assert len(ratios) > 0.95 * seeds
    assert all(as_promised(share, seeds) for share in found.values()), found


@pytest.mark.parametrize("count", [100, 2000])
def test_intervals_cover_with_a_measured_reference(count):
    case, bias, seeds = gaussian(20), np.full(20, 0.01), 800
    reference = gaussian(20, count=count)
    biases, errors = [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        sample, measured = case.draw(rng), reference.draw(rng).mean - bias
        biases.append(squared_bias(sample, measured))
        errors.append(mean_squared_error(sample, measured))
    assert as_promised(coverage(biases, (bias**2).sum()), seeds)
    assert as_promised(coverage(errors, (bias**2).sum() + case.variance.sum()), seeds)


def test_intervals_of_ratios_cover():
    rng, shared, alone, seeds = np.random.default_rng(0), [], [], 800
    for _ in range(seeds):
        noise = rng.standard_normal((GROUPS, 100, 1))
        one, other = summarise(noise**3), summarise(2 * noise**3 + rng.standard_normal(noise.shape))
        logs = [leave_one_out_log_variance(x) for x in (one, other)]
        shared.append(ratio(logs[1], logs[0]))
        alone.append(ratio(logs[1], leave_one_out_log_variance(summarise(rng.standard_normal(noise.shape)))))
    assert as_promised(coverage(shared, 61 / 15), seeds)  # E x^6 = 15
    assert as_promised(coverage(alone, 61), seeds)
    assert np.median([x.high / x.low for x in shared]) < np.median([x.high / x.low for x in alone])


def test_intervals_of_cosines_cover():
    rng, seeds = np.random.default_rng(0), 1000
    intervals = [cosine(rng.beta(2, 1, (GROUPS, 5)).mean(axis=1)) for _ in range(seeds)]
    assert as_promised(coverage(intervals, 2 / 3), seeds)


@pytest.mark.parametrize("rounds, spread", [(8, 0.2), (30, 0.05)])
def test_intervals_of_work_normalized_variances_cover(rounds, spread):
    case, rng, intervals, seeds = gaussian(3, count=100), np.random.default_rng(0), [], 1000
    for _ in range(seeds):
        variance = total_variance(case.draw(rng))
        seconds = 2e-3 * np.exp(spread * rng.standard_normal(rounds))
        intervals.append(work_normalized(variance, seconds))
    assert as_promised(coverage(intervals, 3 * 2e-3), seeds)


def most(seeds: int, rate: float) -> float:
    return float(stats.binom.ppf(1 - 1e-3, seeds, rate))


@pytest.mark.parametrize("name", CASES)
def test_false_alarms_are_as_rare_as_promised(name):
    case, seeds = CASES[name]
    floor = rounding_floor(FLOAT32, case.mean)
    found = sum(bias_test(x, case.mean, floor).verdict == "biased" for x in draws(name))
    assert found <= most(seeds, ALPHA)


@pytest.mark.parametrize("size, correlated", [(1, 0.0), (30, 0.0), (30, 1.0)])
def test_p_values_of_many_seeds_are_rarely_small(size, correlated):
    case, seeds = gaussian(size, correlated), 1500
    p_values = [bias_test(case.draw(np.random.default_rng(seed)), case.mean, 0.0).p_value for seed in range(seeds)]
    for level in (ALPHA, 0.01, 0.05):
        assert np.sum(np.array(p_values) < level) <= most(seeds, level)


def test_false_alarms_stay_rare_for_many_skewed_parameters_and_few_replicates():
    """Weights from the same replicates would be correlated with their means: p of 1e-10 and below where P > n."""
    size, seeds, found = 5_000, 12, 0
    mean = np.ones(size)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        groups = summarise(rng.chisquare(1, (GROUPS, 15, size)))
        found += bias_test(groups, mean, rounding_floor(FLOAT32, mean)).verdict == "biased"
    assert found <= most(seeds, ALPHA)


@pytest.mark.parametrize("size, scale, seeds", [(2, 1.0, 800), (2, 0.01, 800), (3_000, 1.0, 40), (3_000, 0.01, 10)])
def test_false_alarms_stay_rare_with_a_measured_reference(size, scale, seeds):
    """Many parameters whose variances have 63 degrees of freedom, and a reference that is itself mostly noise."""
    found = 0
    for seed in range(seeds):
        estimate, reference = scale + np.random.default_rng(seed).standard_normal((2, GROUPS, size)) / np.sqrt(320)
        groups = Groups(320, estimate, np.full_like(estimate, 319.0))
        found += bias_test(groups, reference, rounding_floor(FLOAT32, reference)).verdict == "biased"
    assert found <= most(seeds, ALPHA)
