"""What no implementation on torch's generator can beat: the noise alone, and the noise with one pass over it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.peers.work import Case
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from experiments.workload import prepare

__all__ = ["limits"]


def limits(case: Case) -> dict[str, tuple[Callable[[], object], int]]:
    """By name: the call, and the gradients whose noise it draws."""
    work = prepare(make_problem(case.problem), make_estimator(case.estimator), case.num_samples)
    source = IID(0)

    def generator() -> object:
        return work.draw(source, work.chunk)

    def generator_and_pass() -> object:
        noise = work.draw(source, work.chunk)
        return noise.sum(0) if isinstance(noise, torch.Tensor) else noise

    return {"generator alone": (generator, work.chunk), "generator and one pass": (generator_and_pass, work.chunk)}
