"""Few events, or none: what they say of a mean, and what they leave open."""

import numpy as np
import pytest
from replicates import FLOAT32, gaussian, skewed, summarise
from scipy import stats

from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import extend
from experiments.measuring.moments import Sampling
from experiments.measuring.stop import Stop
from experiments.statistics import GROUPS, Groups, bias_test, rounding_floor, shortage
from experiments.statistics.events import relative_skewness, straightened, unseen
from experiments.statistics.standardised import Standardised
from experiments.statistics.verdict import ALPHA

pytestmark = pytest.mark.filterwarnings("error")

COUNT = 320
REPLICATES = GROUPS * COUNT


def sparse(rng: np.random.Generator, expected: np.ndarray, background: float = 0.0) -> Groups:
    """[P] entries with so many expected events of size 1, beside Gaussian noise."""
    seen = rng.poisson(np.broadcast_to(expected / GROUPS, (GROUPS, len(expected))))
    mean, deviations = seen / COUNT, seen * (1 - seen / COUNT)
    noise = background * rng.standard_normal(mean.shape) / np.sqrt(COUNT)
    return Groups(COUNT, mean + noise, deviations + background**2 * rng.chisquare(COUNT - 1, mean.shape))


def alarms(expected: np.ndarray, background: float, seeds: int) -> int:
    gradient = expected / REPLICATES
    floor = rounding_floor(FLOAT32, gradient)
    drawn = (sparse(np.random.default_rng(seed), expected, background) for seed in range(seeds))
    return sum(bias_test(groups, gradient, floor).verdict == "biased" for groups in drawn)


@pytest.mark.parametrize("background", [0.0, 1e-4])
@pytest.mark.parametrize("events", [1.0, 5.0, 20.0])
def test_sparse_entries_are_no_bias(events: float, background: float):
    """With variances of the same few events, all ten seeds of one or five events were biased, and two of twenty."""
    assert alarms(np.full(1000, events), background, 10) == 0


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 10, 100, 1000, 10_000])
def test_false_alarms_are_rare_for_any_number_of_events(size: int):
    found = seeds = 0
    for events in (2, 8, 20, 40, 100, 400):
        if size == 1 and events < 10:  # none may be seen, with nothing beside it to tell their size
            continue
        for background in (0.0, 1e-4):
            runs = max(20_000 // (size + 100), 4)
            found, seeds = found + alarms(np.full(size, float(events)), background, runs), seeds + runs
    assert found <= stats.binom.ppf(1 - 1e-3, seeds, 3 * ALPHA), (found, seeds)


def test_an_entry_that_is_wrong_is_found_beside_sparse_ones():
    """Too many events and too few; an entry without any is as if ten more could be."""
    expected = np.full(1000, 100.0)
    groups = sparse(np.random.default_rng(0), expected)
    for wrong in (0.2, 2.0):
        gradient = expected / REPLICATES
        gradient[7] *= wrong
        assert bias_test(groups, gradient, 0.0).verdict == "biased"


def test_too_few_events_have_too_small_a_variance():
    """25 where 60 are expected, in one of 1,000 entries: 5.9 standard errors as they are seen, 5.1 by their law."""
    expected = np.full(1000, 60.0)
    groups = sparse(np.random.default_rng(0), expected)
    seen = np.zeros(GROUPS)
    seen[:25] = 1
    groups.mean[:, 7], groups.deviations[:, 7] = seen / COUNT, seen * (1 - seen / COUNT)
    found = Standardised.of(groups, expected / REPLICATES, 0.0)
    plain = 2 * 1000 * stats.norm.sf(np.abs(found.scores[7]))
    assert 3 * plain < ALPHA < 3 * found.p_each()


def test_what_was_not_seen_has_the_variance_of_ten_events():
    rng = np.random.default_rng(0)
    groups = sparse(rng, np.array([0.0, 1000.0]))
    errors = 4 * (2 / (GROUPS - 1)) ** 0.5  # the fourth moment comes from the spread of the groups
    np.testing.assert_allclose(unseen(groups, np.zeros(2), [slice(0, 2)]), 10 / REPLICATES**2, rtol=errors)
    apart = [slice(0, 1), slice(1, 2)]
    np.testing.assert_allclose(unseen(groups, np.zeros(2), apart), 10 / REPLICATES**2, rtol=errors)
    one = Groups(COUNT, groups.mean + np.array([0.0, 3.0]), groups.deviations)
    np.testing.assert_allclose(unseen(one, np.zeros(2), apart), unseen(groups, np.zeros(2), apart), rtol=1e-9)
    constant = Groups(COUNT, groups.mean + np.array([3.0, 0.0]), groups.deviations)
    assert unseen(constant, np.zeros(2), apart)[0] == 0, "a constant that is not 0 is thought to be one"
    silent = Groups(COUNT, np.zeros((GROUPS, 1)), np.zeros((GROUPS, 1)))
    assert unseen(silent, np.zeros(1), [slice(0, 1)], scale=2.0) == pytest.approx(40 / REPLICATES**2)


@pytest.mark.parametrize("count", [1, 30])
def test_skewness_is_that_of_the_replicates(count: int):
    """In expectation; of single replicates, exactly."""
    found, truth = [], []
    for seed in range(1 if count == 1 else 40):
        rows = skewed(seed, count=count)
        groups, flat = summarise(rows), rows.reshape(-1, 3)
        found.append(relative_skewness(groups, groups.variance / groups.replicates) * groups.replicates**0.5)
        truth.append(stats.skew(flat) * (64 / 63) ** (-0.5 if count == 1 else 0))
    if count == 1:
        np.testing.assert_allclose(found, truth)
    else:
        errors = np.array(found) - np.array(truth)
        assert np.all(np.abs(errors.mean(0)) < 4 * errors.std(0) / 40**0.5)


def test_a_skewed_score_is_straightened():
    """Studentised means of exponentials are far from Gaussian; straightened, they are nearer by half at least."""
    rows = np.random.default_rng(0).exponential(size=(200_000, 20))
    scores = (rows.mean(1) - 1) / rows.std(1, ddof=1) * 20**0.5
    skewness = np.full(len(scores), 2 / 20**0.5)
    for tail in (0.001, 0.01):
        few, many = np.quantile(scores, [tail, 1 - tail])
        left, right = straightened(np.array([few, many]), skewness[:2])
        z = stats.norm.isf(tail)
        assert abs(left + z) < abs(few + z) / 2 and few < -z, "too few events have too small a variance"
        assert right > many
    assert np.all(np.diff(straightened(np.linspace(-50, 50, 999), np.full(999, 0.3))) >= 0)
    np.testing.assert_array_equal(straightened(scores[:5], np.zeros(5)), scores[:5])


def test_identical_estimates_of_unknown_scale_decide_nothing():
    """f = 1[x > 4]: 32,768 zeros for a gradient of 1e-4."""
    silent, gradient = Groups(512, np.zeros((GROUPS, 1)), np.zeros((GROUPS, 1))), np.array([1.3e-4])
    found = bias_test(silent, gradient, 0.0, scale=np.inf)
    assert (found.verdict, found.detectable, found.p_value) == ("undetermined", np.inf, 1)
    assert shortage(silent, gradient, 0.0, scale=np.inf) > 1
    assert bias_test(silent, gradient, 0.0).verdict == "biased", "where costs differ, zeros are an answer"
    assert bias_test(silent, np.zeros(1), 0.0, scale=np.inf).verdict != "biased"


def test_what_never_happened_refutes_nobody():
    """Bits that are 1 once in 163,000: with the same cost always, the score's estimates are the same, and not 0."""
    for spec, verdict in (("score-function", "undetermined"), ("exact", "unbiased")):
        workload = prepare(make_problem("bernoulli-toy:dim=1,logit=-12"), make_estimator(spec), 2)
        sampling = Sampling(workload, find_reference(workload))
        found = extend(sampling, Stop(replicates=2048))
        assert found.verdict == verdict and found.nonfinite == 0, (spec, found.p_value)
        assert (found.total_variance.high == np.inf) == (spec == "score-function")


def test_a_parameter_that_is_always_0_is_as_wrong_as_others_are_large():
    """A cut path is found; from a small one a missed event, as large as the other parameter, cannot be told."""
    noisy = gaussian(np.random.default_rng(0), np.array([1.0]), np.eye(1), COUNT)
    mean, deviations = (np.concatenate([x, np.zeros((GROUPS, 1))], axis=1) for x in (noisy.mean, noisy.deviations))
    groups, parts = Groups(COUNT, mean, deviations), (slice(0, 1), slice(1, 2))
    assert bias_test(groups, np.array([1.0, 0.1]), 0.0, parts).verdict == "biased"
    assert bias_test(groups, np.array([1.0, 1e-4]), 0.0, parts).verdict != "biased"


def test_a_small_parameter_is_judged_by_itself():
    """A bias of 100 % beside a parameter of a million, within which one such event would hide it."""
    rng = np.random.default_rng(0)
    groups = gaussian(rng, np.array([1e6, 2.0]), np.diag([1e6, 2.0]), COUNT)
    gradient, floor = np.array([1e6, 1.0]), 64 * FLOAT32 * np.array([1e6, 1.0])
    assert bias_test(groups, gradient, floor, (slice(0, 1), slice(1, 2))).verdict == "biased"
    assert bias_test(groups, gradient, rounding_floor(FLOAT32, gradient)).verdict != "biased"
