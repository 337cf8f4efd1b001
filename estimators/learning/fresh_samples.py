"""Samples to learn from."""

from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, Problem, ScoredSamples, computed_once
from estimators.noise import IID, NoiseSource, derive_seed
from estimators.sampling import families

__all__ = ["FIRST_SAMPLES", "by_replicate", "fresh_samples", "own_noise"]

FIT_SAMPLES = 10_000
FIT_CALLS = 1_000
"""Samples where each is a call of a function outside of torch, which may take long."""
FIRST_SAMPLES = 100
"""Samples by which a network is standardised at the first step of a training loop."""


def own_noise(purpose: str, params: Params) -> IID:
    """Noise for what a training step draws to learn from, which no loop draws its samples from."""
    some = next(iter(params.values()))
    return IID(derive_seed("learning", purpose), some.device, some.dtype)


def fresh_samples(problem: Problem, params: Params, source: NoiseSource, num_samples: int = 0) -> ScoredSamples:
    """Samples to learn from, on noise of their own: as many as `fit` takes, or a number of them."""
    q = problem.distribution(params)
    noise = families.noise(q, num_samples or (FIT_CALLS if problem.opaque else FIT_SAMPLES), source)
    with computed_once():
        return ScoredSamples.of(problem, params, families.drawn(q, noise))


def by_replicate(
    x: Float[Tensor, "S C *E"], cost: Float[Tensor, "S C"], replicates: int
) -> tuple[Float[Tensor, "N R D"], Float[Tensor, "N R"]]:
    """Points and their costs, replicate by replicate, where several costs share one."""
    each = cost.unflatten(1, (replicates, -1)).transpose(1, 2).flatten(0, 1)
    points = x.reshape(*x.shape[:2], -1).unflatten(1, (replicates, -1)).transpose(1, 2).flatten(0, 1)
    return points, each
