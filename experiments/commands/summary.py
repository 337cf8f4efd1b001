"""The main figures of a run as a table: of cells that were measured, and of cells that were trained."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import click
import pandas as pd

from experiments.analysis.evaluations import differ_from_samples
from experiments.statistics import Interval
from experiments.store import FAILURES
from experiments.store.columns import COLUMNS, Row, records, rescaling
from experiments.terminal.labels import labels
from experiments.terminal.numbers import about, number, seconds
from experiments.terminal.tables import fitting, folded_rows, hanging, print_table, terminal_width
from experiments.terminal.words import verdict

__all__ = ["PLACES", "places", "print_cells", "summary"]

PLACES = ("mini_batch", "derivatives", "device", "dtype", "compile", "seed", "training")
"""Columns that are shown only where they differ between cells."""
DROPPED = (
    "variance × evaluations",
    "cosine",
    "scale",
    "evaluations",
    "claim",
    "share of the mini-batch",
    "detectable",
    "bias/‖g‖",
    "time",
    "total variance",
)
"""Columns that a narrow terminal does without, the least important first."""

Columns = dict[str, Callable[[Row], str]]
"""The headings of the table, each with a function that gives the text for a cell."""


def print_cells(cells: pd.DataFrame) -> None:
    """The main figures of all cells that are done, on stdout.

    Where a terminal is too narrow for all of them, problems stand above their cells, the half-width of an interval
    stands in place of its ends, and columns are left out, the least important first.
    """
    if "done" not in set(cells["status"]):
        return
    table, width = summary(cells), terminal_width()
    right = [name for name in table if name not in ("problem", "estimator", *PLACES)]
    rows, headings = table.to_numpy().tolist(), list(table)
    if width is None or len(fitting(headings, rows, width, headings)) == len(headings):
        print_table(headings, rows, right=right)
    else:
        _print_narrow(cells, width)
    for line in _in_full(cells.query("status == 'done'")["estimator"]):
        click.echo(hanging("", line, "    ", width))


def _print_narrow(cells: pd.DataFrame, width: int) -> None:
    table = summary(cells, briefly=True)
    problems = table.pop("problem")
    rows, headings = table.to_numpy().tolist(), list(table)
    kept = fitting(headings, rows, width, [name for name in DROPPED if name in headings])
    shown, named = [[row[place] for place in kept] for row in rows], [headings[place] for place in kept]
    right = [name for name in named if name not in ("estimator", *PLACES)]
    lines = folded_rows(named, shown, right, width)
    if lines is None:
        print_table(named, shown, right=right)
        return
    head, *body = lines
    click.echo("\n".join(head))
    before = None
    for problem, row in zip(problems, body, strict=True):
        if problem != before:
            click.echo(f"\N{EM DASH} {problem}")
        before = problem
        click.echo("\n".join(row))
    if left := [name for name in headings if name not in named]:
        told = f"Left out here: {', '.join(left)}; a wider terminal or --format csv has them."
        click.echo(hanging("", told, "    ", width))


def _in_full(estimators: Iterable[str]) -> list[str]:
    """What stands for `…` in names of estimators."""
    return [f"{name} is {spec}" for spec, name in labels(estimators).items() if name.endswith("…")]


def summary(cells: pd.DataFrame, *, briefly: bool = False) -> pd.DataFrame:
    """The cells that are done, as text; `briefly` with the half-widths of intervals alone."""
    rows = records(cells.query("status == 'done'"))
    trained = [row["steps"] is not None for row in rows]
    columns = _point(cells)
    if not all(trained) or not rows:
        columns |= _measured(cells, briefly)
    if any(trained):
        columns |= _trained(briefly)
    return pd.DataFrame({name: [text(row) for row in rows] for name, text in columns.items()}, dtype=object)


def places(cells: Any) -> list[str]:
    """The columns of `PLACES` in which cells differ."""
    return [place for place in PLACES if place in cells and cells[place].nunique() > 1]


def _point(cells: pd.DataFrame) -> Columns:
    done = cells.query("status == 'done'")
    named = {name: labels(done[name]) for name in ("problem", "estimator")}
    varying = {COLUMNS[name].heading if name == "mini_batch" else name: name for name in places(cells)}
    derivatives = {"derivatives": "derivatives"} if any(cells["derivatives"]) else {}
    return {
        "problem": lambda row: named["problem"][row["problem"]],
        "estimator": lambda row: named["estimator"][row["estimator"]],
        **{heading: _shown(name) for heading, name in ({"S": "num_samples"} | varying | derivatives).items()},
    }


def _measured(cells: pd.DataFrame, briefly: bool) -> Columns:
    counted: Columns = {
        "evaluations": _shown("evaluations"),
        **_with_interval("variance × evaluations", "evaluation_normalized_variance", briefly),
    }
    return {
        **(counted if differ_from_samples(cells) else {}),
        **_with_interval("total variance", "total_variance", briefly),
        **({"share of the mini-batch": _shown("batch_share")} if any(cells["mini_batch"]) else {}),
        "bias/‖g‖": _bias,
        **{name: _value(name) for name in ("scale", "cosine") if any(cells[name].notna())},
        "claim": _shown("claim"),
        "verdict": _verdict,
        "detectable": _shown("detectable_bias"),
        "time": _time,
        **_with_interval("MSE × s", "work_normalized_mse", briefly),
    }


def _trained(briefly: bool) -> Columns:
    return {
        "seeds": _shown("replicates"),
        "steps": _shown("steps"),
        "diverged": _shown("diverged"),
        **_with_interval("objective", "objective", briefly),
        "time of a step": _time,
    }


def _with_interval(heading: str, name: str, briefly: bool) -> Columns:
    """A figure with its interval of 95 %; briefly, with the larger arm of it as a part of the value."""
    if not briefly:
        return {f"{heading} [95 %]": _shown(name)}
    return {heading: lambda row: about(*Interval.of(row, name))}


def _shown(name: str) -> Callable[[Row], str]:
    column = replace(COLUMNS[name], note=None)
    return column.show


def _value(name: str) -> Callable[[Row], str]:
    """A figure without its interval."""
    return lambda row: number(row[name])


def _bias(cell: Row) -> str:
    """Relative to the norm of the gradient; of a rescaled gradient with the scale."""
    scale = f" ({number(cell['scale'])} × g)" if rescaling(cell) else ""
    return _shown("relative_bias")(cell) + scale


def _verdict(cell: Row) -> str:
    return verdict(cell["verdict"]) if cell["steps"] is None else ""


def _time(cell: Row) -> str:
    return cell["timing_status"] if cell["timing_status"] in FAILURES else seconds(cell["seconds_per_gradient"])
