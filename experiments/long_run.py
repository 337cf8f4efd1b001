"""A long run that measures the gradient of E[cost] where no formula gives it."""

import numpy as np
import torch

from estimators.noise import derive_seed
from estimators.registry import make_estimator
from experiments import statistics
from experiments.sampling import Sampling
from experiments.statistics import Groups
from experiments.workload import Workload, prepare

__all__ = ["measured_gradient"]

CANDIDATES = ("pathwise", "score-function:control_variate=leave-one-out")
"""What may measure a reference, best first; each must agree with the plain score function."""
NUM_SAMPLES = 64
ELEMENTS = 2**30
"""Element-samples (replicates × samples × event size) that a reference may take."""


def measured_gradient(workload: Workload) -> np.ndarray | None:
    """Group means of the best candidate that agrees with the plain score function; None where nothing is supported."""
    plain = _run(workload, "score-function")
    for spec in CANDIDATES:
        candidate = _run(workload, spec)
        if candidate is not None and (plain is None or _agree(candidate, plain)):
            return candidate.mean
    return None if plain is None else plain.mean


def _run(workload: Workload, spec: str) -> Groups | None:
    estimator = make_estimator(spec)
    if estimator.unsupported(workload.problem, NUM_SAMPLES):
        return None
    if estimator.claim(workload.problem, NUM_SAMPLES) == "biased":
        return None
    seed = derive_seed("reference")
    run = prepare(workload.problem, estimator, NUM_SAMPLES, seed=seed, device=str(workload.device), dtype="float64")
    event = workload.problem.initial_distribution.event_shape.numel()
    replicates = min(max(ELEMENTS // (NUM_SAMPLES * event), 4096), 2**17)
    sampling = Sampling(run, None)
    while sampling.replicates < replicates:
        sampling.grow(replicates - sampling.replicates)
    return None if sampling.nonfinite else sampling.groups


def _agree(candidate: Groups, plain: Groups) -> bool:
    floor = statistics.rounding_floor(torch.finfo(torch.float64).eps, plain.mean)
    return statistics.bias_test(candidate, plain.mean, floor).verdict != "biased"
