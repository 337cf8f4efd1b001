"""The gradient that an estimator is compared with: exact where the problem knows it, else a long cached measurement."""

import math
from dataclasses import dataclass, field

import numpy as np

from estimators.interface import Objective, Params, Problem, replicated
from estimators.registry import defined_at, source_is_known
from experiments.gradients.validation import check_shape
from experiments.gradients.workload import Workload, flatten
from experiments.measuring.long_run import LONGEST, measured_gradient
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.reference_files import forget, keep, key_of, read
from experiments.terminal.telling import Tell, untold

__all__ = [
    "References",
    "find_reference",
    "forget_reference",
    "keep_reference",
    "kept_reference",
    "known_at_once",
    "suffices",
]

ALIKE = 0.7
"""The part of a budget that another one has to have had for its reference to be used."""

_uncached: dict[tuple[type, str], Reference | NoReference] = {}
"""What this process has found and the disk does not keep: the reference of a notebook's class."""


@dataclass(frozen=True)
class References:
    """The references for a command that meets a problem many times: `find_reference` is asked once a problem."""

    seconds: float = LONGEST
    """What each may take, where it has to be measured and the cost is slow."""
    known: dict[tuple[str, Objective], Reference | NoReference] = field(default_factory=dict)

    def find(self, workload: Workload, tell: Tell = untold) -> Reference | NoReference:
        """The reference of workloads on one device, in one dtype."""
        key = workload.problem.spec, workload.objective
        if key not in self.known:
            self.known[key] = find_reference(workload, tell, self.seconds)
        return self.known[key]


def find_reference(workload: Workload, tell: Tell = untold, seconds: float = LONGEST) -> Reference | NoReference:
    """The exact gradient of the estimator's objective at the parameters, or a measured one, or why there is neither.

    A measured reference comes from long runs of the estimators of `Objective.measured_by` that claim to be unbiased;
    `votes.py` says which is believed. It takes at most so many seconds, which only slow costs come to.
    It is kept on disk under everything that defines it; one that a smaller budget has ended is measured anew. Where
    gradients are on mini-batches, it is that on all data.
    """
    workload = workload.on_all_data or workload
    if (known := known_at_once(workload)) is not None:
        return known
    key = key_of(workload)
    if (kept := kept_reference(workload, key)) is not None and suffices(kept, (seconds, math.inf)):
        return kept
    found = measured_gradient(workload, tell, seconds)
    keep_reference(workload, key, found)
    return found


def forget_reference(problem: Problem) -> None:
    """Forget what was measured for a problem, in this process and on disk."""
    for one in [one for one in _uncached if one[0] is type(problem)]:
        del _uncached[one]
    forget(frozenset({problem.spec}))


def known_at_once(workload: Workload) -> Reference | NoReference | None:
    """The exact gradient, or that there is none and nobody can measure one; None: it has to be measured."""
    point = replicated({name: value.double() for name, value in workload.point.items()}, 1)
    objective = workload.objective
    exact = objective.exact(workload.problem, point, objective.of_samples or workload.num_samples)
    if exact is not None:
        return Reference("exact", _exact(exact, workload))
    return None if objective.measured_by else NoReference(objective.without_reference)


def suffices(found: Reference | NoReference, limits: tuple[float, float]) -> bool:
    """Whether seconds and evaluations of the cost would hardly make a better one."""
    pairs = zip(found.allowed, limits, strict=True)
    return all(allowed >= ALIKE * limit or allowed == math.inf for allowed, limit in pairs)


def kept_reference(workload: Workload, key: str) -> Reference | NoReference | None:
    """What is kept on disk, or for a class that nothing tells apart from its next version, in this process."""
    if source_is_known(workload.problem):
        return read(key, workload.size)
    return _uncached.get((type(workload.problem), key))


def keep_reference(workload: Workload, key: str, found: Reference | NoReference) -> None:
    if source_is_known(workload.problem):
        keep(key, workload, found)
    else:
        _uncached[type(workload.problem), key] = found


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
