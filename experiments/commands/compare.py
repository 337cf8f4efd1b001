"""`gradmark compare`: what changed from one run to another."""

import json
import math
from typing import Any

import click

from experiments.commands.show import EMPTY, open_run
from experiments.comparison import Change, Comparison, Gate, Matched, compare
from experiments.console import print_table

__all__ = ["compare_runs"]

REGRESSION = 3
QUANTITIES = ("variance", "bias", "time", "evaluations")
COLUMNS = [
    "",
    "problem",
    "estimator",
    "S",
    *(f"{name} ratio [95 %]" for name in QUANTITIES[:3]),
    "evaluations",
    "verdict",
]
LISTED = 10
"""New and vanished cells that are named; of the rest there is a count."""


def compare_runs(before: str, after: str, form: str, gate: Gate, fail: bool) -> int:
    """Print the cells that both runs have, those that got worse first; exit code 3 where one did and `fail` is set.

    What is new, vanished or of another machine is named. Exit code 4 where no cell is in both runs.

    Raises:
        ValueError: a threshold that is no ratio above 1, a significance outside (0, 1).
        StoreError: there is no such run.
    """
    if not 1 < gate.threshold < math.inf:
        raise ValueError(f"--threshold must be a finite ratio above 1, not {gate.threshold:g}")
    if not 0 < gate.significance < 1:
        raise ValueError(f"--significance must lie between 0 and 1, not {gate.significance:g}")
    found = compare(open_run(before)[1], open_run(after)[1])
    regressions = found.regressions(gate)
    if form == "json":
        click.echo(json.dumps(_data(found, gate), indent=2, allow_nan=False))
    else:
        _tell(found, gate, form)
    if not found.matched:
        return EMPTY
    return REGRESSION if fail and regressions else 0


def _tell(found: Comparison, gate: Gate, form: str) -> None:
    cells = sorted(found.matched, key=lambda cell: (not cell.worse(gate), not cell.better(gate)))
    rows = [_row(cell, gate) for cell in cells]
    if form == "markdown":
        click.echo(_markdown(rows))
    elif rows:
        print_table(COLUMNS, rows, right=COLUMNS[3:8])
    for line in _notes(found, gate):
        click.echo(f"\n{line}" if form == "markdown" else line)


def _row(cell: Matched, gate: Gate) -> list[str]:
    problem, estimator, num_samples, device, dtype = cell.point
    place = "".join(f" ({part})" for part, usual in ((device, "cpu"), (dtype, "float32")) if part != usual)
    before, after = cell.verdicts
    ratios = [_ratio(cell.changes.get(name)) for name in QUANTITIES[:3]]
    count = cell.changes.get("evaluations")
    evaluations = (
        "" if count is None else f"{count.after:g}" if count.ratio.value == 1 else f"{count.before:g} → {count.after:g}"
    )
    verdict = cell.failure or (after if before == after else f"{before} → {after}")
    return [_mark(cell, gate), problem, estimator + place, str(num_samples), *ratios, evaluations, verdict]


def _mark(cell: Matched, gate: Gate) -> str:
    worse, better = cell.worse(gate), cell.better(gate)
    return ", ".join(
        [*(f"worse: {', '.join(worse)}" for _ in worse[:1]), *(f"better: {', '.join(better)}" for _ in better[:1])]
    )


def _ratio(change: Change | None) -> str:
    if change is None or math.isnan(change.ratio.value):
        return ""
    value, low, high = change.ratio
    return "1" if value == low == high == 1 else f"{value:.3g} [{low:.3g}, {high:.3g}]"


def _notes(found: Comparison, gate: Gate) -> list[str]:
    worse, better = (sum(bool(state) for state in states) for states in _states(found, gate))
    beyond = f"beyond a factor of {gate.threshold:g} at p < {gate.significance:g}"
    lines = [f"{len(found.matched)} cells in both runs: {worse} worse, {better} better {beyond}"]
    for name, points in (("new", found.new), ("vanished", found.vanished)):
        if points:
            shown = "; ".join(_point(point) for point in points[:LISTED])
            more = f"; and {len(points) - LISTED} more" if len(points) > LISTED else ""
            lines.append(f"{len(points)} {name}: {shown}{more}")
    if found.machines:
        lines.append(f"different machines or versions: {'; '.join(found.machines)}")
    return [*lines, *_on_times(found)]


def _on_times(found: Comparison) -> list[str]:
    times = [cell.changes["time"] for cell in found.matched if "time" in cell.changes]
    if not times:
        return []
    if found.drift.cells:
        count, factor, _ = found.drift
        return [f"times are relative to {count} cells whose code is the same, which took {factor:.3g} times as long"]
    if not any(time.gated for time in times):
        return ["times of different machines are shown and not judged"]
    return ["no cell has the same code in both runs: a machine that was slower looks like a slower estimator"]


def _states(found: Comparison, gate: Gate) -> tuple[list[list[str]], list[list[str]]]:
    return [cell.worse(gate) for cell in found.matched], [cell.better(gate) for cell in found.matched]


def _point(point: tuple[Any, ...]) -> str:
    problem, estimator, num_samples, *_ = point
    return f"{estimator} on {problem}, S={num_samples}"


def _markdown(rows: list[list[str]]) -> str:
    def line(texts: list[str]) -> str:
        return " | ".join(["", *(text.replace("|", "\\|") for text in texts), ""]).strip()

    return "\n".join([line(COLUMNS), line(["---"] * len(COLUMNS)), *map(line, rows)])


def _data(found: Comparison, gate: Gate) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    names = ("problem", "estimator", "num_samples", "device", "dtype")
    cells = [
        {
            **dict(zip(names, cell.point, strict=True)),
            "worse": cell.worse(gate),
            "better": cell.better(gate),
            "verdict_before": cell.verdicts[0],
            "verdict_after": cell.verdicts[1],
            **{
                quantity: {
                    "before": number(change.before),
                    "after": number(change.after),
                    "ratio": number(change.ratio.value),
                    "ratio_low": number(change.ratio.low),
                    "ratio_high": number(change.ratio.high),
                    "p_larger": number(change.p_larger),
                    "judged": change.gated,
                }
                for quantity, change in cell.changes.items()
            },
        }
        for cell in found.matched
    ]
    points = {
        name: [dict(zip(names, point, strict=True)) for point in getattr(found, name)] for name in ("new", "vanished")
    }
    return {"cells": cells, **points, "machines": found.machines}
