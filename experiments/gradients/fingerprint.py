"""What a problem does, in a few bytes: one version of its code and data has another than the next."""

import hashlib
from contextlib import suppress

import torch

from estimators.interface import replicated
from estimators.noise import IID
from estimators.sampling import families
from estimators.sampling.unchecked import without_validation
from experiments.gradients.workload import Workload

__all__ = ["fingerprint"]

SAMPLES, REPLICATES = 4, 2


def fingerprint(workload: Workload) -> str:
    """A hash of the parameters, and of samples, log-densities and costs on fixed noise there; a workload keeps it."""
    known = vars(workload)
    if "fingerprint" not in known:
        known["fingerprint"] = _fingerprint(workload)
    return known["fingerprint"]


def _fingerprint(workload: Workload) -> str:
    problem = workload.problem.to(workload.device, torch.float64)
    params = replicated({name: value.double() for name, value in workload.point.items()}, REPLICATES)
    digest = hashlib.sha256()
    with torch.no_grad(), without_validation():
        q = problem.distribution(params)
        x = families.values(q, families.noise(q, SAMPLES, IID(0, workload.device, torch.float64)))
        found = {"x": x, "costs": problem.cost(x, params)}
        with suppress(Exception):  # pathwise estimators need no density
            found["log q"] = families.log_prob(q, x)
        for name, value in (params | found).items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:32]
