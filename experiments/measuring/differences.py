r"""Finite differences of the expected cost along a few directions: a judge that needs no derivative and no density.

With common noise, and extrapolated to step 0 (Richardson): $(4 D_{h/2} - D_h) / 3$ with
$D_h = (F(\theta + h u) - F(\theta - h u)) / 2h$. Four evaluations a direction, however many parameters there are.
Glasserman 2004, sec. 7.1.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from estimators.interface import Params, replicated
from estimators.noise import IID
from estimators.sampling import families
from experiments.gradients.steps import Eager, Step
from experiments.gradients.workload import Workload
from experiments.measuring import doubling
from experiments.measuring.moments import Sampling
from experiments.measuring.purse import Purse
from experiments.statistics import Groups, total_variance
from experiments.statistics import laws as stats

__all__ = [
    "DIFFERENCES",
    "STEPS",
    "Deviation",
    "Differences",
    "applicable",
    "differences_along",
    "directions",
    "halves",
    "step_for",
]

DIFFERENCES = "finite differences"
STEPS = (0.2, 0.05, 0.0125, 0.003, 0.0008)
CURVED = 0.01
"""The relative size of the extrapolation above which a step is too large."""
REMAINDER = 0.1
"""The part of the extrapolation that may be wrong."""
FEW = 4
"""Entries from which on the directions are chosen."""


@final
@dataclass(frozen=True)
class Deviation:
    """How far a measured gradient is from the differences."""

    p_value: float
    least: float
    """A lower bound, relative to the gradient."""
    detectable: float


@final
@dataclass(frozen=True, eq=False)
class Differences:
    """Group means of the differences along directions `[D, P]`."""

    directions: np.ndarray
    wide: np.ndarray
    """`[G, D]`, with the step h."""
    narrow: np.ndarray
    """`[G, D]`, with h / 2."""
    mechanism: ClassVar[str] = DIFFERENCES

    def deviation(self, gradients: np.ndarray) -> Deviation:
        """Against group means `[G, P]` on the same noise: a t test a direction (Bonferroni)."""
        extrapolation = (self.narrow - self.wide) / 3
        rows = gradients @ self.directions.T - self.narrow - extrapolation
        size, strength = len(rows), np.abs(self.narrow.mean(0))
        allowed = REMAINDER * np.abs(extrapolation.mean(0)) + 1e-9 * strength.max()
        error, beyond = rows.std(0, ddof=1) / math.sqrt(size), np.maximum(np.abs(rows.mean(0)) - allowed, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(beyond > 0, beyond / error, 0.0)
            parts = np.maximum(beyond - 3 * error, 0) / strength
            least = np.where(np.isnan(parts), 0.0, parts).max()  # 0 / 0: no difference of nothing
            detectable = np.linalg.norm(_seen(size) * error + allowed) / np.linalg.norm(strength)
        p_value = min(1.0, len(scores) * float(2 * stats.t.sf(scores.max(), size - 1)))
        return Deviation(p_value, float(least), float(detectable))


def _seen(size: int) -> float:
    """The standard errors of a deviation that is seen at a level of 0.001 / 3 with probability 0.99."""
    return float(stats.t.ppf([1 - 0.001 / 6, 0.99], size - 1).sum())


def applicable(workload: Workload) -> bool:
    """Whether the noise of x can be used again at other parameters, and the estimator's value is its objective.

    The cost has to be known there, too.
    """
    if workload.problem.sampled_only:
        return False
    q = workload.problem.initial_distribution
    transform = families.find(q, families.path_form(q))
    return transform.fixed_noise and workload.estimator.estimates_cost(workload.problem)


def directions(workload: Workload, measured: Sequence[Groups]) -> np.ndarray:
    """Unit vectors `[D, P]`: all entries if they are few, else where a bias would be, or is suspected.

    These are the gradient, its parts in the largest parameters, and the entry in which those who measured it differ
    most, in standard errors.
    """
    if workload.size < FEW:
        return np.eye(workload.size)
    gradient = min(measured, key=lambda one: total_variance(one).value).overall_mean
    parts = [gradient * _mask(place, workload.size) for place in workload.places.values()]
    largest = sorted(parts, key=lambda part: -float(np.linalg.norm(part)))[: FEW - 1]
    found = [gradient, *(largest if len(parts) > 1 else [])]
    found += [_suspect(first, second) for first, second in itertools.pairwise(measured)]
    return np.stack([part / np.linalg.norm(part) for part in found if part.any()] or [np.eye(1, workload.size)[0]])


def _suspect(first: Groups, second: Groups) -> np.ndarray:
    rows = first.mean - second.mean
    error = rows.std(0)
    scores = np.divide(np.abs(rows.mean(0)), error, out=np.zeros_like(error), where=error > 0)
    return np.eye(1, len(scores), int(scores.argmax()))[0]


def _mask(place: slice, size: int) -> np.ndarray:
    mask = np.zeros(size)
    mask[place] = 1.0
    return mask


@dataclass(frozen=True)
class _Along(Step):
    """The differences as if they were gradients of parameters `wide` and `narrow`, `[D]`."""

    eager: Eager
    point: Params
    directions: tuple[Mapping[str, Tensor], ...]
    step: float

    def __call__(self, params: Params, source: IID) -> Params:
        replicates = len(params["wide"])
        noise = self.eager.noise(replicated(self.point, replicates), source)
        with torch.no_grad():
            return {
                name: torch.stack([self._difference(along, h, replicates, noise) for along in self.directions], 1)
                for name, h in (("wide", self.step), ("narrow", self.step / 2))
            }

    def _difference(self, along: Mapping[str, Tensor], h: float, replicates: int, noise: object) -> Tensor:
        ahead, behind = (
            self.eager.estimator.surrogate(
                self.eager.problem,
                replicated({name: value + move * along[name] for name, value in self.point.items()}, replicates),
                noise,
            )
            for move in (h, -h)
        )
        return (ahead - behind) / (2 * h)


def differences_along(workload: Workload, units: np.ndarray, step: float) -> Sampling:
    """The differences of the value of an estimator, on the noise that the workload's own gradients have."""
    named = tuple(
        {name: torch.as_tensor(value).to(workload.point[name]) for name, value in workload.named(unit).items()}
        for unit in units
    )
    along = _Along(Eager(workload.problem, workload.estimator, workload.num_samples), workload.point, named, step)
    zeros = torch.zeros(len(units), dtype=workload.dtype, device=workload.device)
    return Sampling(replace(workload, step=along, point={"wide": zeros, "narrow": zeros}), None)


def halves(groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """The means of the wide and the narrow differences, each `[G, D]`."""
    wide, narrow = np.split(groups.mean, 2, axis=1)
    return wide, narrow


def step_for(workload: Workload, units: np.ndarray, replicates: int, purse: Purse) -> float | None:
    """The largest step at which the expected cost hardly bends, as some replicates show; None: there is none."""
    for step in STEPS:
        sampling = differences_along(workload, units, step)
        doubling.reach(sampling, replicates)
        purse.pay(4 * len(units) * workload.num_samples * sampling.replicates)
        if sampling.nonfinite or sampling.groups is None:
            continue
        wide, narrow = halves(sampling.groups)
        extrapolation = (narrow - wide) / 3
        noise = np.linalg.norm(extrapolation.std(0, ddof=1)) / math.sqrt(len(wide))
        bend = np.linalg.norm(extrapolation.mean(0))
        if bend <= max(CURVED * float(np.linalg.norm(narrow.mean(0))), 3 * noise):
            return step
    return None
