"""`gradmark compare`: what changed from one run to another, cell by cell."""

import json
import math
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.arguments import open_run
from experiments.commands.exits import NOTHING, REFUTED, WELL
from experiments.terminal.completion import complete_run
from experiments.terminal.numbers import interval

if TYPE_CHECKING:
    from experiments.analysis.comparison import Change, Comparison, Gate, Matched

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
USUAL = ("cpu", "float32", "")
LISTED = 10
"""The most new or vanished cells that are named; the rest are counted."""


@click.command("compare")
@click.argument("before", metavar="RUN", shell_complete=complete_run)
@click.argument("after", metavar="RUN", shell_complete=complete_run)
@click.option(
    "--fail-on",
    type=click.Choice(["regression"]),
    help="Exit with 3 where a cell of the second got worse, or is not there; with 4 where none is left.",
)
@click.option(
    "--allow-vanished", is_flag=True, help="Cells that the second does not plan, e.g. renamed, are no reason."
)
@click.option("--threshold", type=float, default=1.5, show_default=True, help="The ratio from which it is worse.")
@click.option(
    "--significance", type=float, default=1e-3, show_default=True, help="… if chance is less likely than this."
)
@click.option("--format", "form", type=click.Choice(["table", "markdown", "json"]), default="table", show_default=True)
def command(
    before: str, after: str, fail_on: str | None, allow_vanished: bool, threshold: float, significance: float, form: str
) -> int:
    """Compare the cells of two RUNs: ratios of variance, bias and time with intervals."""
    from experiments.analysis.comparison import Gate, compare

    if not 1 < threshold < math.inf:
        raise ValueError(f"--threshold must be a finite ratio above 1, not {threshold:g}")
    if not 0 < significance < 1:
        raise ValueError(f"--significance must lie between 0 and 1, not {significance:g}")
    gate = Gate(threshold, significance)
    found = compare(open_run(before)[1], open_run(after)[1])
    if form == "json":
        click.echo(json.dumps(_data(found, gate), indent=2, allow_nan=False))
    else:
        _tell(found, gate, form)
    if not found.matched:
        return NOTHING
    return _gated(found, gate, allow_vanished) if fail_on else WELL


def _gated(found: "Comparison", gate: "Gate", allow_vanished: bool) -> int:
    """The exit code where a regression is to fail: what was not measured again is not known to be as good."""
    lost = found.lost(allow_vanished=allow_vanished)
    if lost:
        hint = "repeat the second run" if allow_vanished else "repeat the second run, or --allow-vanished"
        click.echo(f"gradmark: {len(lost)} cells of the first run were not measured in the second: {hint}", err=True)
    if not found.comparable:
        return NOTHING
    return REFUTED if lost or found.regressions(gate) else WELL


def _tell(found: "Comparison", gate: "Gate", form: str) -> None:
    """Print the cells of both runs, the worsened ones first, and what is new, vanished or of another machine."""
    from experiments.terminal.tables import markdown_table, print_table

    judged = [(cell, cell.worse(gate), cell.better(gate)) for cell in found.matched]
    rows = [_row(*one) for one in sorted(judged, key=lambda one: (not one[1], not one[2]))]
    if form == "markdown":
        click.echo(markdown_table(COLUMNS, rows))
    elif rows:
        print_table(COLUMNS, rows, right=COLUMNS[3:8])
    worse, better = (sum(bool(one[place]) for one in judged) for place in (1, 2))
    beyond = f"beyond a factor of {gate.threshold:g} at p < {gate.significance:g}"
    for line in (f"{len(judged)} cells in both runs: {worse} worse, {better} better {beyond}", *_notes(found)):
        click.echo(f"\n{line}" if form == "markdown" else line)


def _row(cell: "Matched", worse: list[str], better: list[str]) -> list[str]:
    problem, estimator, num_samples, *places = cell.point
    place = "".join(f" ({part})" for part in places if part not in USUAL)
    before, after = cell.states
    variance, bias, time, evaluations = (cell.changes.get(name) for name in QUANTITIES)
    mark = "; ".join(f"{name}: {', '.join(what)}" for name, what in (("worse", worse), ("better", better)) if what)
    figures = [_ratio(variance), _ratio(bias if bias is not None and bias.gated else None), _ratio(time)]
    state = cell.failure or (after if before == after else f"{before} → {after}")
    return [mark, problem, estimator + place, str(num_samples), *figures, _count(evaluations), state]


def _ratio(change: "Change | None") -> str:
    if change is None or math.isnan(change.ratio.value):
        return ""
    value, low, high = change.ratio
    return "1" if value == low == high == 1 else interval(value, low, high)


def _count(change: "Change | None") -> str:
    if change is None:
        return ""
    return f"{change.after:g}" if change.before == change.after else f"{change.before:g} → {change.after:g}"


def _notes(found: "Comparison") -> list[str]:
    lines = []
    kinds = {"new": found.new, "vanished": found.vanished, "missing in the second run (repeat it)": found.missing}
    for name, points in kinds.items():
        if points:
            shown = "; ".join(_point(point) for point in points[:LISTED])
            more = f"; and {len(points) - LISTED} more" if len(points) > LISTED else ""
            lines.append(f"{len(points)} {name}: {shown}{more}")
    if found.machines:
        lines.append(f"different machines or versions: {'; '.join(found.machines)}")
    for device, cells, factor, _ in found.drifts:
        relative = f"times are relative to {cells} cells whose code is the same"
        lines.append(f"{relative}, which took {factor:.3g} times as long on {device or 'this machine'}")
    times = [cell.changes["time"] for cell in found.matched if "time" in cell.changes]
    if times and not found.drifts:
        lines.append("times are shown and not judged: that takes three cells of the same code, timed on one machine")
    return lines


def _point(point: tuple[Any, ...]) -> str:
    problem, estimator, num_samples, *_ = point
    return f"{estimator} on {problem}, S={num_samples}"


def _data(found: "Comparison", gate: "Gate") -> dict[str, Any]:
    from experiments.analysis.comparison import POINT

    def points(places: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        return [dict(zip(POINT, place, strict=True)) for place in places]

    cells = [
        {
            **dict(zip(POINT, cell.point, strict=True)),
            "worse": cell.worse(gate),
            "better": cell.better(gate),
            "failure": cell.failure,
            "state_before": cell.states[0],
            "state_after": cell.states[1],
            **{quantity: _figures(change) for quantity, change in cell.changes.items()},
        }
        for cell in found.matched
    ]
    places = {name: points(getattr(found, name)) for name in ("new", "vanished", "missing")}
    drifts = [drift._asdict() for drift in found.drifts]
    return {**gate._asdict(), "cells": cells, **places, "machines": found.machines, "drifts": drifts}


def _figures(change: "Change") -> dict[str, Any]:
    from experiments.statistics import Interval

    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    ratio = {name: number(value) for name, value in Interval.entries("ratio", change.ratio).items()}
    sides = {"before": number(change.before), "after": number(change.after)}
    return {**sides, **ratio, "p_larger": number(change.p_larger), "judged": change.gated}
