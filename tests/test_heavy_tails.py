"""How often intervals of variances hold the truth where tails are heavy, and on which side they miss it."""

import numpy as np
import pytest
from replicates import summarise
from scipy import stats

from experiments.statistics import GROUPS, total_variance

pytestmark = pytest.mark.filterwarnings("error")


def heavy_tailed(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Replicates [G, 312, P], and their total variance."""
    noise = rng.standard_normal((GROUPS, 312, 1))
    if kind == "gaussian":
        return noise, 1.0
    if kind == "squares":
        return noise**2, 2.0
    if kind == "cubes":
        return noise**3, 15.0
    if kind == "lognormal":
        return np.exp(noise), np.exp(2) - np.exp(1)
    if kind == "quadratic cost":
        return np.concatenate([noise**3, noise**2 * (noise**2 - 1)], axis=-1), 15.0 + 74.0
    if kind.startswith("exponential cost"):
        steep = float(kind.split()[-1])
        square = steep**2
        return np.exp(steep * noise) * noise, (1 + 4 * square) * np.exp(2 * square) - square * np.exp(square)
    return np.where(rng.random(noise.shape) < 0.001, 10, 1) * noise, 1.099


def misses(kind: str, seeds: int) -> tuple[int, int]:
    """How often the truth lies above the interval of a total variance, and how often below."""
    rng = np.random.default_rng(0)
    above = below = 0
    for _ in range(seeds):
        rows, truth = heavy_tailed(kind, rng)
        interval = total_variance(summarise(rows))
        above, below = above + (interval.high < truth), below + (interval.low > truth)
    return above, below


def share(seeds: int, count: int, low: float, high: float) -> bool:
    """Whether a count out of so many is consistent with a share in between."""
    return bool(stats.binom.ppf(0.001, seeds, low) <= count <= stats.binom.ppf(0.999, seeds, high))


KINDS = ["gaussian", "squares", "cubes", "lognormal", "quadratic cost", "rarely large"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "exponential cost 0.8", "exponential cost 1.0"])
def test_intervals_of_variances_cover_heavy_tails_on_both_sides(kind):
    seeds = 4_000
    above, below = misses(kind, seeds)
    assert share(seeds, above + below, 0.04, 0.06), (above, below)
    assert share(seeds, above, 0.014, 0.04) and share(seeds, below, 0.012, 0.032), (above, below)


@pytest.mark.parametrize("kind", ["gaussian", "exponential cost 1.0"])
def test_intervals_of_variances_cover_on_both_sides(kind):
    """By Student's t of the logarithm alone, one truth in eight lies above the interval where tails are heavy."""
    seeds = 500
    above, below = misses(kind, seeds)
    assert share(seeds, above, 0.014, 0.04) and share(seeds, below, 0.012, 0.032), (above, below)
