"""Samples to learn from."""

from estimators.interface import Params, Problem, ScoredSamples
from estimators.noise import NoiseSource
from estimators.sampling import families

__all__ = ["fresh_samples"]

FIT_SAMPLES = 10_000


def fresh_samples(problem: Problem, params: Params, source: NoiseSource) -> ScoredSamples:
    """Samples to learn from, on noise of their own."""
    q = problem.distribution(params)
    return ScoredSamples.of(problem, params, families.drawn(q, families.noise(q, FIT_SAMPLES, source)))
