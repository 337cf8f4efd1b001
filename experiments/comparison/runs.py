"""The cells that two runs have in common."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scipy import stats

from experiments.comparison.change import Change, Gate, counted, positive
from experiments.comparison.times import Drift, drift, relative, times
from experiments.statistics import GROUPS, Interval, log_standard_error
from experiments.store import FAILURES, Run

__all__ = ["Comparison", "Matched", "compare"]

POINT = ["problem", "estimator", "num_samples", "device", "dtype"]
MACHINE = ("cpu", "gpu", "torch", "python", "gradmark", "git_commit")
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}
FLOOR = 64
"""Of the dtype's precision: a deviation from a gradient that may be rounding."""


@dataclass(frozen=True)
class Matched:
    """A cell that both runs have."""

    point: tuple[Any, ...]
    """Problem, estimator, number of samples, device, dtype."""
    failure: str
    """Why it fails in the second run, where it does and did not in the first; ''."""
    verdicts: tuple[str, str]
    changes: dict[str, Change]
    """By quantity: variance, bias, time, evaluations; those that both runs know."""

    def worse(self, gate: Gate) -> list[str]:
        """What got worse."""
        changed = [name for name, change in self.changes.items() if change.worse(gate)]
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
    machines: list[str]
    """How the machines or versions of the two runs differ."""
    drift: Drift

    def regressions(self, gate: Gate) -> list[Matched]:
        return [cell for cell in self.matched if cell.worse(gate)]


def compare(before: Run, after: Run) -> Comparison:
    """The cells of two runs, matched by problem, estimator, number of samples, device and dtype.

    What is skipped on both sides is left out. Intervals take the errors of both sides for independent, which is
    cautious: with the same seed both have met the same noise. Where some cells have the same code on both sides, as the
    baselines of an estimator that was changed, their times tell how much slower the machine was: ratios of times are
    relative to theirs.
    """
    one, two = _by_point(before), _by_point(after)
    both = [point for point in one if point in two and {one[point]["status"], two[point]["status"]} != {"skipped"}]
    taken = {point: times(one[point], two[point], before, after) for point in both}
    same = {point for point in both if _same_gradmark(before, after) and one[point]["key"] == two[point]["key"]}
    slower = drift([these for point in same if (these := taken[point])])
    time = {point: relative(these, slower, judged=point not in same) for point, these in taken.items()}
    matched = [_matched(point, one[point], two[point], time[point]) for point in both]
    new, vanished = ([point for point in a if point not in b] for a, b in ((two, one), (one, two)))
    return Comparison(matched, new, vanished, list(_machines(before, after)), slower)


def _by_point(run: Run) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(cell[name] for name in POINT): cell for cell in run.cells.to_dict("records")}


def _same_gradmark(before: Run, after: Run) -> bool:
    """A key holds the version of gradmark; a checkout may have changed within one."""
    one, two = (run.provenance.get("git_commit", "") for run in (before, after))
    return one == two and not one.endswith("-dirty")


def _machines(before: Run, after: Run) -> Iterator[str]:
    for name in MACHINE:
        one, two = before.provenance.get(name, ""), after.provenance.get(name, "")
        if one != two:
            yield f"{name}: {one or 'none'} → {two or 'none'}"


def _matched(point: tuple[Any, ...], one: dict[str, Any], two: dict[str, Any], time: Change | None) -> Matched:
    fails = two["status"] in FAILURES and one["status"] == "done"
    verdicts = one["verdict"] or "", two["verdict"] or ""
    if not one["status"] == two["status"] == "done":
        return Matched(point, f"{two['status']}: {two['error']}" if fails else "", verdicts, {})
    evaluations = counted(one["evaluations"], two["evaluations"])
    found = {"variance": _variance(one, two), "bias": _bias(one, two), "time": time, "evaluations": evaluations}
    return Matched(point, "", verdicts, {name: change for name, change in found.items() if change is not None})


def _variance(one: dict[str, Any], two: dict[str, Any]) -> Change:
    """Below what rounding makes of an exact gradient, variances are all alike."""
    floor = (FLOOR * EPSILON[one["dtype"]] * (one["gradient_norm"] if one["gradient_norm"] > 0 else 0.0)) ** 2
    a, b = (Interval(*(cell[f"total_variance{end}"] for end in ("", "_low", "_high"))) for cell in (one, two))
    error = math.hypot(*(log_standard_error(side) if side.value > floor else 0.0 for side in (a, b)))
    return positive(max(a.value, floor), max(b.value, floor), error, GROUPS - 1)


def _bias(one: dict[str, Any], two: dict[str, Any]) -> Change | None:
    """Of squared biases, which may be negative, the difference is tested. Only what is seen to be biased is judged."""
    (a, a_low, a_high), (b, b_low, b_high) = (
        [cell[f"squared_bias{end}"] for end in ("", "_low", "_high")] for cell in (one, two)
    )
    if math.isnan(a) or math.isnan(b):
        return None
    spread = math.hypot(a_high - a, b - b_low) / stats.norm.ppf(0.975)
    ratio = Interval(_root(b, a), _root(b_low, a_high), _root(b_high, a_low))
    p = float(stats.norm.sf((b - a) / spread)) if spread else counted(a, b).p_larger
    if two["verdict"] == "biased" != one["verdict"]:
        p = min(p, two["p_value"])  # of tests that see smaller biases than this interval does
    biased = (two if b > a else one)["verdict"] == "biased"
    return Change(max(a, 0.0) ** 0.5, max(b, 0.0) ** 0.5, ratio, p, gated=biased)


def _root(above: float, below: float) -> float:
    """The ratio of two biases from their squares."""
    above, below = max(above, 0.0), max(below, 0.0)
    return math.sqrt(above / below) if below else math.nan if not above else math.inf
