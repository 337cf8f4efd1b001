"""Scale and cosine of a mean against the gradient: right in standard errors, and told for rescaled gradients alone."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from experiments.statistics import GROUPS, Groups, Interval, alignment, resemblance
from experiments.statistics.alignment import relative_error
from experiments.terminal.words import bias, rescaled

GRADIENT = np.array([3.0, -1.0, 0.5, 2.0, 0.0])
ACROSS = np.array([1.0, 3.0, 0.0, 0.0, 0.0])
"""Orthogonal to the gradient."""


def drawn(mean: np.ndarray, seed: int, count: int = 500, spread: float = 4.0) -> Groups:
    """Groups of so many Gaussian estimates, of which the means alone are looked at."""
    noise = np.random.default_rng(seed).standard_normal((GROUPS, len(mean)))
    return Groups(count, mean + spread * noise / np.sqrt(count), np.full(noise.shape, count * spread**2))


def exact(seed: int) -> np.ndarray:
    return GRADIENT


def measured(seed: int) -> np.ndarray:
    """Not much better known than what is compared with it."""
    return drawn(GRADIENT, seed + 10_000, count=1_000).mean


@pytest.mark.parametrize("reference", [exact, measured])
@pytest.mark.parametrize(("scale", "across"), [(1.0, 0.0), (2.04, 0.0), (0.2, 0.0), (1.0, 0.2), (-1.0, 0.1)])
def test_intervals_cover_and_the_scale_is_unbiased(
    scale: float, across: float, reference: Callable[[int], np.ndarray]
) -> None:
    mean = scale * GRADIENT + across * ACROSS
    cosine = mean @ GRADIENT / np.linalg.norm(mean) / np.linalg.norm(GRADIENT)
    found = [alignment(drawn(mean, seed), reference(seed)) for seed in range(300)]
    scales = np.array([one.scale for one in found])
    deviation = scales[:, 0].mean() - scale
    assert abs(deviation) < 4 * scales[:, 0].std(ddof=1) / np.sqrt(len(found))
    least = stats.binom.ppf(1e-4, len(found), 0.95)
    assert ((scales[:, 1] <= scale) & (scale <= scales[:, 2])).sum() >= least
    cosines = np.array([one.cosine for one in found])
    assert ((cosines[:, 1] <= cosine + 1e-12) & (cosine - 1e-12 <= cosines[:, 2])).sum() >= least
    assert (np.diff(cosines[:, 1:]) < 0.1).all()


@pytest.mark.parametrize(
    ("scale", "across", "what"),
    [
        (2.04, 0.0, "a multiple of the gradient: 2.04 ×, cosine 1.000"),
        (0.18, 0.02, "nearly a multiple of the gradient: 0.18 ×, cosine 0.99"),
        (1.02, 0.05, ""),
        (1.0, 0.2, ""),
        (2.0, 1.0, ""),
        (-1.0, 0.0, ""),
    ],
)
def test_only_what_is_rescaled_is_called_a_multiple(scale: float, across: float, what: str) -> None:
    found = alignment(drawn(scale * GRADIENT + across * ACROSS, seed=1, count=100_000, spread=1.0), GRADIENT)
    assert rescaled("biased", found.scale, found.cosine).startswith(what)
    assert bool(rescaled("biased", found.scale, found.cosine)) == bool(what)
    assert rescaled("unbiased", found.scale, found.cosine) == rescaled(None, None, None) == ""


def test_where_the_noise_hides_the_angle_nothing_is_said() -> None:
    found = alignment(drawn(2 * GRADIENT, seed=1, count=2, spread=20.0), GRADIENT)
    assert found.cosine is not None and found.cosine.high == 1.0 and resemblance(found.scale, found.cosine) == ""


def test_one_entry_has_a_scale_and_no_angle() -> None:
    found = alignment(drawn(np.array([3.0]), seed=1), np.array([2.0]))
    assert found.scale is not None and abs(found.scale.value - 1.5) < 0.1 and found.cosine is None
    assert alignment(drawn(np.zeros(2), seed=1), np.zeros(2)).scale is None
    spoiled = Groups(2, np.full((GROUPS, 2), np.nan), np.zeros((GROUPS, 2)))
    assert alignment(spoiled, np.ones(2)).scale is None


def test_a_measured_gradient_has_an_error_of_its_own() -> None:
    """Against the standard deviation of many of them."""
    lengths = [drawn(GRADIENT, seed).overall_mean @ GRADIENT for seed in range(400)]
    errors = [relative_error(drawn(GRADIENT, seed).mean) for seed in range(400)]
    assert np.mean(errors) == pytest.approx(np.std(lengths) / (GRADIENT @ GRADIENT), rel=4 / np.sqrt(2 * 400))
    assert relative_error(GRADIENT) == 0.0


@pytest.mark.parametrize(
    ("relative", "text"),
    [
        (None, ""),
        (Interval(0.74, 0.72, 0.76), "74 %"),
        (Interval(0.3, 0.0, 0.9), "< 90 %"),
        (Interval(0.0, 0.0, 0.004), "< 0.4 %"),
    ],
)
def test_a_bias_that_is_not_seen_is_told_by_its_bound(relative: Interval | None, text: str) -> None:
    assert bias(relative) == text
