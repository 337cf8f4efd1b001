"""What no implementation on torch's generator can beat: its noise alone, and with one pass over it; and gradmark's own
noise."""

from collections.abc import Callable

import torch

from benchmarks.peers.networks import problem_of
from benchmarks.peers.work import NETWORKS, Case
from estimators.noise import IID
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare

__all__ = ["limits"]


def limits(case: Case) -> dict[str, tuple[Callable[[], object], int]]:
    """The limits by name: the call, and the number of gradients whose noise it draws."""
    if case.name in NETWORKS:  # whose noise is nothing beside their matrix products
        return {}
    work = prepare(problem_of(case), make_estimator(case.estimator), case.num_samples)
    source, bulk = IID(0), work.source("limits")

    def generator() -> object:
        return work.draw(source, work.chunk)

    def generator_and_pass() -> object:
        noise = work.draw(source, work.chunk)
        return noise.sum(0) if isinstance(noise, torch.Tensor) else noise

    def own() -> object:
        return work.draw(bulk, work.chunk)

    calls = {"generator alone": generator, "generator and one pass": generator_and_pass, "gradmark's noise alone": own}
    return {name: (call, work.chunk) for name, call in calls.items()}
