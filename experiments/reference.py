"""The gradient that an estimator is compared with: exact where the problem knows it, else a long cached measurement."""

import hashlib
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from estimators.interface import Estimator, Params, replicated
from estimators.noise import derive_seed
from estimators.registry import make_estimator, source_digest, source_is_known
from experiments import statistics
from experiments.sampling import Reference, Sampling
from experiments.statistics import GROUPS, Groups
from experiments.workload import Workload, flatten, prepare

__all__ = ["cache_folder", "find_reference"]

CANDIDATES = ("pathwise", "score-function:control_variate=leave-one-out")
"""What may measure a reference, best first; each must agree with the plain score function."""
NUM_SAMPLES = 64
ELEMENTS = 2**30
"""Element-samples (replicates × samples × event size) that a reference may take."""


_uncached: dict[tuple[type, str], np.ndarray | None] = {}
"""What this process has found and the disk does not keep: that there is no reference, or one of a notebook's class."""


def find_reference(workload: Workload) -> Reference | None:
    """The estimator's target, at the parameters that are measured, or a measured gradient of E[cost]; None: neither.

    A measured reference comes from a long run of an estimator of low variance that claims to be unbiased and agrees
    with the plain score function in standard errors. It is cached on disk under everything that defines it.
    """
    point = replicated({name: value.double() for name, value in workload.point.items()}, 1)
    target = workload.estimator.target(workload.problem, point, workload.num_samples)
    if target is not None:
        return Reference("exact", _exact(target, workload))
    if type(workload.estimator).target is not Estimator.target:
        return None
    key = (type(workload.problem), _key(workload))
    groups = _uncached[key] if key in _uncached else _cached(workload)
    if groups is None or not source_is_known(workload.problem):
        _uncached[key] = groups
    return None if groups is None else Reference("measured", groups)


def _exact(target: Params, workload: Workload) -> np.ndarray:
    spec = workload.problem.spec
    if target.keys() != workload.point.keys():
        raise ValueError(f"the exact gradient of {spec} is of {sorted(target)}, not of {sorted(workload.point)}")
    gradient = flatten({name: target[name] for name in workload.point})[0].double().cpu().numpy()
    if gradient.shape != (workload.size,):
        raise ValueError(f"the exact gradient of {spec} has {gradient.size} entries, not {workload.size}")
    if not np.isfinite(gradient).all():
        raise ValueError(f"the exact gradient of {spec} is not finite at its initial parameters")
    return gradient


def cache_folder() -> Path:
    """$GRADMARK_CACHE, or gradmark in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradmark"
    return Path(os.environ.get("GRADMARK_CACHE") or default)


def _cached(workload: Workload) -> np.ndarray | None:
    if not source_is_known(workload.problem):
        return _measured(workload)
    file = cache_folder() / "references" / f"{_key(workload)}.npy"
    try:
        groups = np.load(file, allow_pickle=False)
        if groups.shape == (GROUPS, workload.size) and np.isfinite(groups).all():
            return groups
    except (OSError, ValueError, EOFError):
        pass
    groups = _measured(workload)
    if groups is not None:
        _write(file, groups)
    return groups


def _key(workload: Workload) -> str:
    parts = [_version(), torch.__version__, workload.problem.spec, source_digest(workload.problem)]
    digest = hashlib.sha256("\x1f".join(parts).encode())
    data = {name: value for name, value in vars(workload.problem).items() if isinstance(value, torch.Tensor)}
    for name, value in (*workload.point.items(), *sorted(data.items())):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:32]


def _version() -> str:
    try:
        return version("gradmark")
    except PackageNotFoundError:
        return "unknown"


def _write(file: Path, groups: np.ndarray) -> None:
    """Whole or not at all; a cache that cannot be written is no error."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}.tmp")
        with partial.open("wb") as stream:
            np.save(stream, groups, allow_pickle=False)
        partial.replace(file)
    except OSError:
        pass


def _measured(workload: Workload) -> np.ndarray | None:
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
