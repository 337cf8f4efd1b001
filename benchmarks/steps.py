"""The computations that the asv suite times and counts. torch is imported when one is asked for, not before.

They keep to names that earlier commits also have, since both sides of a comparison run them.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.cases import NUM_SAMPLES

if TYPE_CHECKING:
    from experiments.gradients.workload import Workload

__all__ = ["Step", "steps", "workload"]

Step = Callable[[], None]


@cache
def workload(estimator: str, problem: str, device: str = "cpu") -> "Workload":
    """What `measure` works with, on one thread. NotImplementedError where this commit has no such case."""
    import torch
    from torch.distributions import Distribution

    from benchmarks.homes import prepare
    from estimators.interface import Unsupported
    from estimators.registry import make_estimator, make_problem

    torch.set_num_threads(1)
    Distribution.set_default_validate_args(False)
    try:
        made, target = make_estimator(estimator), make_problem(problem)
    except ValueError as error:  # an earlier commit, which does not know the name
        raise NotImplementedError(str(error)) from None
    try:
        return prepare(target, made, NUM_SAMPLES, device=device)
    except Unsupported as error:
        raise NotImplementedError(str(error)) from None


@cache
def steps(estimator: str, problem: str, device: str) -> tuple[Step, Step]:
    """One gradient at R = 1, as a training step pays it, and a chunk of many: noise included, the device waited for."""
    import torch

    work = workload(estimator, problem, device)
    source = work.source("timing")

    def step(replicates: int) -> Step:
        params = work.params(replicates)

        def run() -> None:
            work.gradient(params, work.draw(source, replicates))
            if device != "cpu":
                torch.cuda.synchronize()

        return run

    return step(1), step(work.chunk)
