"""The cells that two runs have in common."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from estimators.registry import make_estimator, make_problem, source_digest
from experiments.analysis.comparison.change import Change, Gate, counted, positive
from experiments.analysis.comparison.times import Drift, drifts, relative, times
from experiments.statistics import GROUPS, Interval, jackknife_error, log_standard_error
from experiments.store import FAILURES, Run

__all__ = ["POINT", "Comparison", "Matched", "compare"]

POINT = ["problem", "estimator", "num_samples", "mini_batch", "derivatives", "device", "dtype", "training"]
MACHINE = ("cpu", "gpu", "torch", "python", "gradmark", "git_commit")
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}
FLOOR = 64
"""A deviation from a gradient that may be rounding, in units of the dtype's precision."""


@dataclass(frozen=True)
class Matched:
    """A cell that both runs have."""

    point: tuple[Any, ...]
    """The values of the columns `POINT`."""
    failure: str
    """Why it fails in the second run, where it does and did not in the first; ''."""
    states: tuple[str, str]
    """The verdict of a cell that was measured, else its status, before and after."""
    changes: dict[str, Change]
    """The changes of the quantities that both runs know: variance, bias, time, evaluations."""

    def worse(self, gate: Gate) -> list[str]:
        """What got worse. Evaluations have no noise: one more is one too many."""
        exactly = gate._replace(threshold=1.0)
        changed = [
            name for name, change in self.changes.items() if change.worse(exactly if name == "evaluations" else gate)
        ]
        return ["fails", *changed] if self.failure else changed

    def better(self, gate: Gate) -> list[str]:
        """What got better."""
        return [name for name, change in self.changes.items() if change.better(gate)]


@dataclass(frozen=True)
class Comparison:
    """What two runs have in common, and what they have not."""

    matched: list[Matched]
    new: list[tuple[Any, ...]]
    vanished: list[tuple[Any, ...]]
    missing: list[tuple[Any, ...]]
    """The points of the first run that the second lacks, while that is not complete."""
    machines: list[str]
    """How the machines or versions of the two runs differ."""
    drifts: list[Drift]
    measured: frozenset[tuple[Any, ...]]
    """The points that the first run has measured."""

    @property
    def comparable(self) -> list[Matched]:
        """The cells of which something can be said: the first run has measured them, and the second has tried."""
        return [cell for cell in self.matched if cell.point in self.measured and cell.states[1] != "interrupted"]

    def lost(self, *, allow_vanished: bool) -> list[tuple[Any, ...]]:
        """The points that the first run has measured and the second has not tried, or not to the end."""
        interrupted = [cell.point for cell in self.matched if cell.states[1] == "interrupted"]
        gone = [*self.missing, *interrupted, *([] if allow_vanished else self.vanished)]
        return [point for point in gone if point in self.measured]

    def regressions(self, gate: Gate) -> list[Matched]:
        return [cell for cell in self.matched if cell.worse(gate)]


def compare(before: Run, after: Run) -> Comparison:
    """The cells of two runs, matched by problem, estimator, number of samples, device, dtype and training settings.

    What is skipped on both sides is left out. Intervals of variances come from pairs of groups: with the same seed both
    sides have met the same noise, which cancels. Those of biases take the errors of both sides for independent, which
    is cautious. Where some cells have the same code on both sides, as the baselines of an estimator that was changed,
    their times tell how much slower the machine was: ratios of times are relative to theirs.

    Raises:
        ValueError: a run has several cells of one point, as after a merge of runs with different seeds.
    """
    one, two = _by_point(before), _by_point(after)
    both = [point for point in one if point in two and {one[point]["status"], two[point]["status"]} != {"skipped"}]
    taken = {point: these for point in both if (these := times(one[point], two[point], before, after))}
    same = {point for point in both if _same_code(before, after) and one[point]["key"] == two[point]["key"]}
    unchanged = {point for point in same if _is_shipped(*point[:2])}
    slower = drifts([these for point, these in taken.items() if point in unchanged])
    time = {point: relative(these, slower, judged=point not in unchanged) for point, these in taken.items()}
    matched = [_matched(point, one[point], two[point], time.get(point), (before, after)) for point in both]
    new, gone = ([point for point in a if point not in b] for a, b in ((two, one), (one, two)))
    missing = gone if after.planned > len(after.cells) else []
    vanished = [] if missing else gone
    measured = frozenset(point for point, cell in one.items() if cell["status"] == "done")
    machines = list(_machines(before, after))
    return Comparison(matched, new, vanished, missing, machines, list(slower.values()), measured)


def _by_point(run: Run) -> dict[tuple[Any, ...], dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell in run.cells.to_dict("records"):
        point = tuple(cell[name] for name in POINT)
        if point in found:
            problem, estimator, num_samples, *_ = point
            where = f"{estimator} on {problem}, S={num_samples}"
            raise ValueError(f"a run has several cells of {where}; compare runs of one seed, compiled or not")
        found[point] = cell
    return found


def _same_code(before: Run, after: Run) -> bool:
    """Whether equal keys mean equal code: a key holds gradmark's version, within which a checkout may have changed."""
    one, two = (run.provenance.get("git_commit", "") for run in (before, after))
    merged = any("merged_from" in run.provenance for run in (before, after))
    return one == two and not one.endswith("-dirty") and not merged


def _is_shipped(problem: str, estimator: str) -> bool:
    """A plug-in may import what its key does not hold."""
    try:
        return not (source_digest(make_problem(problem)) or source_digest(make_estimator(estimator)))
    except ValueError:
        return False


def _machines(before: Run, after: Run) -> Iterator[str]:
    for name in MACHINE:
        one, two = before.provenance.get(name, ""), after.provenance.get(name, "")
        if one != two:
            yield f"{name}: {one or 'none'} → {two or 'none'}"


def _matched(
    point: tuple[Any, ...], one: dict[str, Any], two: dict[str, Any], time: Change | None, runs: tuple[Run, Run]
) -> Matched:
    states = _state(one), _state(two)
    if not one["status"] == two["status"] == "done":
        return Matched(point, _failure(one, two), states, {})
    evaluations = counted(one["evaluations"], two["evaluations"]) if _known(one, two, "evaluations") else None
    logs = [run.logs.get((cell["key"], "total_variance")) for run, cell in zip(runs, (one, two), strict=True)]
    found = {"variance": _variance(one, two, *logs), "bias": _bias(one, two), "time": time, "evaluations": evaluations}
    changes = {name: change for name, change in found.items() if change is not None}
    return Matched(point, _failure(one, two), states, changes)


def _known(one: dict[str, Any], two: dict[str, Any], name: str) -> bool:
    return not (pd.isna(one[name]) or pd.isna(two[name]))


def _state(cell: dict[str, Any]) -> str:
    return cell["verdict"] or "" if cell["status"] == "done" else cell["status"]


def _failure(one: dict[str, Any], two: dict[str, Any]) -> str:
    """What the first run had and the second does not, though it tried."""
    if one["status"] != "done" or two["status"] == "interrupted":
        return ""
    if two["status"] != "done":
        return f"{two['status']}: {two['error']}"
    if one["timing_status"] == "done" and two["timing_status"] in FAILURES:
        return f"timing, {two['timing_status']}: {two['error']}"
    if _known(one, two, "nonfinite") and two["nonfinite"] > 0 == one["nonfinite"]:
        return f"{two['nonfinite']:,} of {two['replicates']:,} gradients are not finite"
    if _known(one, two, "diverged") and two["diverged"] > one["diverged"]:
        return f"{two['diverged']} of {two['replicates']} seeds diverged"
    return ""


def _variance(
    one: dict[str, Any], two: dict[str, Any], before: np.ndarray | None = None, after: np.ndarray | None = None
) -> Change | None:
    """The change of a variance, from its logarithms without group k, `[G]`, where both sides have kept them.

    Below what rounding makes of an exact gradient, variances are all alike.
    """
    a, b = (Interval.of(cell, "total_variance") for cell in (one, two))
    if not (math.isfinite(a.value) and math.isfinite(b.value)):
        return None
    floor = (FLOOR * EPSILON[one["dtype"]] * max(_norm(one), _norm(two))) ** 2
    if before is not None and after is not None and min(a.value, b.value) > floor:
        error = float(jackknife_error(before - after))
    else:
        error = math.hypot(*(log_standard_error(side) if side.value > floor else 0.0 for side in (a, b)))
    return positive(max(a.value, floor), max(b.value, floor), error, GROUPS - 1)


def _norm(cell: dict[str, Any]) -> float:
    """The norm of the gradient, as it is known or as it was measured; 0 where neither is."""
    if cell["gradient_norm"] > 0:
        return cell["gradient_norm"]
    measured = cell["snr"] * cell["total_variance"] ** 0.5 if pd.notna(cell["snr"]) else 0.0
    return measured if math.isfinite(measured) else 0.0


def _bias(one: dict[str, Any], two: dict[str, Any]) -> Change | None:
    """The change of a bias, by a test of the difference of squared biases, which may be negative.

    Only what is seen to be biased is judged.
    """
    (a, a_low, a_high), (b, b_low, b_high) = (Interval.of(cell, "squared_bias") for cell in (one, two))
    if not (math.isfinite(a) and math.isfinite(b)):
        return None
    halves = (a_high - a, b - b_low) if b > a else (a - a_low, b_high - b)
    spread = math.hypot(*halves) / stats.norm.ppf(0.975)
    ratio = Interval(_root(b, a), _root(b_low, a_high), _root(b_high, a_low))
    p = float(stats.norm.sf((b - a) / spread)) if spread else counted(a, b).p_larger
    biased = (two if b > a else one)["verdict"] == "biased"
    return Change(max(a, 0.0) ** 0.5, max(b, 0.0) ** 0.5, ratio, p, gated=biased)


def _root(above: float, below: float) -> float:
    """The ratio of two biases from their squares."""
    above, below = max(above, 0.0), max(below, 0.0)
    return math.sqrt(above / below) if below else math.nan if not above else math.inf
