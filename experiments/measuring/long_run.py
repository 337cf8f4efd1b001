"""A long run that measures a gradient where no formula gives it."""

from functools import partial

import numpy as np
import torch

from estimators.interface import Unsupported
from estimators.noise import derive_seed
from estimators.registry import make_estimator
from experiments import statistics
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.moments import Sampling
from experiments.statistics import GROUPS, Groups

__all__ = ["measured_gradient"]

NUM_SAMPLES = 64
ELEMENTS = 2**30
"""Element-samples (replicates × samples × event size) that a reference may take."""
BYTES = 2**38
"""Replicates × the footprint of one that it may take, where that is more."""


def measured_gradient(workload: Workload) -> np.ndarray | None:
    """Group means of the estimator of lowest variance that agrees with the plainest, which may be the plainest itself.

    None: there is nothing to agree with, because the plainest ones cannot be used or are not finite.
    """
    specs = workload.objective.measured_by
    num_samples = workload.num_samples if workload.objective.depends_on_samples else NUM_SAMPLES
    found = {spec: run for spec in specs if (run := _run(workload, spec, num_samples)) is not None}
    if len(found) < 2 and specs[-1] not in found:
        return None
    *candidates, plain = found.values()
    by_variance = sorted([plain, *candidates], key=lambda run: statistics.total_variance(run).value)
    return next(run.mean for run in by_variance if run is plain or _agree(run, plain))


def _run(workload: Workload, spec: str, num_samples: int) -> Groups | None:
    estimator = make_estimator(spec)
    if estimator.unsupported(workload.problem, num_samples):
        return None
    if estimator.claim(workload.problem, num_samples) == "biased":
        return None
    seed = derive_seed("reference")
    try:
        run = prepare(workload.problem, estimator, num_samples, seed=seed, device=str(workload.device), dtype="float64")
    except Unsupported:  # in float64 alone
        return None
    event = workload.problem.initial_distribution.event_shape.numel()
    affordable = min(ELEMENTS // (num_samples * event), int(BYTES / max(run.footprint.of_replicate(num_samples), 1.0)))
    replicates = min(max(affordable, 4096), 2**17) // GROUPS * GROUPS
    sampling = Sampling(run, None)
    sampling.within_memory(partial(_fill, sampling, replicates))
    return None if sampling.nonfinite else sampling.groups


def _fill(sampling: Sampling, replicates: int) -> None:
    while sampling.replicates < replicates:
        sampling.grow(replicates - sampling.replicates)


def _agree(candidate: Groups, plain: Groups) -> bool:
    floor = statistics.rounding_floor(torch.finfo(torch.float64).eps, plain.mean)
    return statistics.bias_test(candidate, plain.mean, floor).verdict != "biased"
