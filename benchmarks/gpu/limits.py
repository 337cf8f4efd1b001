"""What no implementation on a device can beat: its generator, and normals that are drawn where they are used."""

import importlib
import itertools
from collections.abc import Callable

import torch

from benchmarks.peers.networks import problem_of
from benchmarks.peers.work import Case
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare

__all__ = ["limits", "philox_is_normal"]

NORMALS = 2**26
"""Numbers of a call, at most."""


def limits(case: Case, device: str) -> tuple[dict[str, tuple[Callable[[], object], int]], list[str]]:
    """The limits by name, the call and the number of gradients whose noise it draws; and what was left out."""
    work = prepare(problem_of(case), make_estimator(case.estimator), case.num_samples, device=device)
    replicates = max(min(work.chunk, NORMALS // work.elements), 1)
    noise = torch.empty(work.num_samples, replicates, work.elements // work.num_samples, device=device)
    found: dict[str, tuple[Callable[[], object], int]] = {"generator alone": (noise.normal_, replicates)}
    if torch.device(device).type != "cuda":
        return found, []
    try:
        philox = importlib.import_module("benchmarks.gpu.philox")
    except ImportError as error:
        return found, [f"the fused kernel is left out: {error}"]
    seeds = itertools.count()

    def fused() -> object:
        return philox.sums(next(seeds), replicates, work.elements, work.device)

    return found | {"fused Philox kernel": (fused, replicates)}, []


def philox_is_normal(device: str, quick: bool) -> str:
    """The sums of the kernel have the variance of sums of normals."""
    philox = importlib.import_module("benchmarks.gpu.philox")
    found = philox.sums(3, 2**16, 1_000, torch.device(device)) / 1_000**0.5
    mean, variance = float(found.mean()), float(found.var())
    assert abs(mean) < 5 / 2**8 and abs(variance - 1) < 5 * 2**0.5 / 2**8, f"mean {mean:.3g}, variance {variance:.3g}"
    return f"mean {mean:.2g}, variance {variance:.4g}"
