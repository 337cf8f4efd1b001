"""The gradient that an estimator is compared with: exact where the problem knows it, else a long cached measurement."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from estimators.interface import Objective, Params, replicated
from estimators.registry import defined_at, source_digest, source_is_known
from experiments.gradients.validation import check_shape
from experiments.gradients.workload import Workload, flatten
from experiments.machine.caching import cache_folder
from experiments.machine.files import replacing
from experiments.machine.provenance import version
from experiments.measuring.long_run import measured_gradient
from experiments.measuring.reference import Reference
from experiments.statistics import GROUPS

__all__ = ["References", "find_reference"]

_uncached: dict[tuple[type, str], np.ndarray | None] = {}
"""What this process has found and the disk does not keep: that there is no reference, or one of a notebook's class."""


@dataclass(frozen=True)
class References:
    """The references for a command that meets a problem many times: `find_reference` is asked once a problem."""

    known: dict[tuple[str, Objective], Reference | None] = field(default_factory=dict)

    def find(self, workload: Workload) -> Reference | None:
        """The reference of workloads on one device, in one dtype."""
        key = workload.problem.spec, workload.objective
        if key not in self.known:
            self.known[key] = find_reference(workload)
        return self.known[key]


def find_reference(workload: Workload) -> Reference | None:
    """The exact gradient of the estimator's objective at the parameters, or a measured one; None: neither.

    A measured reference comes from a long run of an estimator of low variance, one of `Objective.measured_by`, that
    claims to be unbiased and agrees with the plainest in standard errors. It is cached on disk under everything that
    defines it.
    """
    point = replicated({name: value.double() for name, value in workload.point.items()}, 1)
    exact = workload.objective.exact(workload.problem, point, workload.num_samples)
    if exact is not None:
        return Reference("exact", _exact(exact, workload))
    if not workload.objective.measured_by:
        return None
    key = (type(workload.problem), _key(workload))
    groups = _uncached[key] if key in _uncached else _cached(workload)
    if groups is None or not source_is_known(workload.problem):
        _uncached[key] = groups
    return None if groups is None else Reference("measured", groups)


def _exact(found: Params, workload: Workload) -> np.ndarray:
    name, problem = f"the exact gradient of {workload.problem.spec}", workload.problem
    where = defined_at(problem.exact_gradient) or defined_at(problem.expected_cost)
    if not isinstance(found, dict) or found.keys() != workload.point.keys():
        names = ", ".join(found) if isinstance(found, dict) else type(found).__name__
        raise ValueError(f"{name} must name {', '.join(workload.point)}, not {names or 'nothing'}{where}")
    for key, value in workload.point.items():
        check_shape(f"{name} in {key}", "[R, *shape]", found[key], (1, *value.shape), where)
    gradient = flatten({key: found[key] for key in workload.point})[0].double().cpu().numpy()
    if not np.isfinite(gradient).all():
        raise ValueError(f"{name} is not finite at the initial parameters: choose others{where}")
    return gradient


def _cached(workload: Workload) -> np.ndarray | None:
    if not source_is_known(workload.problem):
        return measured_gradient(workload)
    file = cache_folder() / "references" / f"{_key(workload)}.npy"
    try:
        groups = np.load(file, allow_pickle=False)
        if groups.shape == (GROUPS, workload.size) and np.isfinite(groups).all():
            return groups
    except (OSError, ValueError, EOFError):
        pass
    groups = measured_gradient(workload)
    if groups is not None:
        _write(file, groups)
    return groups


def _key(workload: Workload) -> str:
    parts = [version() or "unknown", torch.__version__, workload.problem.spec, source_digest(workload.problem)]
    parts += [workload.objective.name, *workload.objective.measured_by]
    if workload.objective.depends_on_samples:  # by whatever name
        parts.append(str(workload.num_samples))
    digest = hashlib.sha256("\x1f".join(parts).encode())
    data = {name: value for name, value in vars(workload.problem).items() if isinstance(value, torch.Tensor)}
    for name, value in (*workload.point.items(), *sorted(data.items())):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:32]


def _write(file: Path, groups: np.ndarray) -> None:
    """A cache that cannot be written is no error."""
    with suppress(OSError, ValueError), replacing(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, groups, allow_pickle=False)
