"""The atlas as a page: a matrix of estimators and problems with all that was measured behind each cell, and tables of
the best on some problems for the page that helps to choose."""

import html
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.atlas.tables import read
from estimators.interface import Problem
from estimators.registry import make_estimator, make_problem
from experiments.terminal.numbers import number

__all__ = ["matrix", "with_rows"]

PLACE = re.compile(r"<!-- atlas: (?P<problem>\S+) by (?P<by>evaluations|seconds)(?P<blind> without a derivative)? -->")
NOTHING = "The atlas has not been measured with this version yet: `nox -s atlas` does."
SHOWN = 8
"""The most estimators of a table."""
FIGURES = ("total_variance", "mse", "scale", "mean_cosine")
INTRODUCTION = """---
hide: [navigation, toc]
---

# Atlas

Every estimator on every problem, each at the number of samples that suits it best: how many times more error than the
best is left at equal cost. Frames mark what is not told apart from the best; *b* marks a bias, which has no place in
the order, and 0 that there is no noise at all. A cell opens what was measured, and the command that measures it again.
An empty cell: the estimator does not fit.
[Which estimator?](which_estimator.md) begins with the questions."""
CONTROLS = """<div id="atlas-matrix" class="atlas">
<form>
<label>Find <input type="search" name="find" placeholder="estimator or problem"></label>
<label>At equal <select name="by"></select></label>
</form>
<div class="atlas-scroll"><table></table></div>
<dialog></dialog>
</div>"""


def matrix(folder: Path) -> str:
    """The page, with its figures inside: it asks nobody for anything."""
    statistics = read(folder)
    if statistics.empty:
        return f"{INTRODUCTION}\n\n{NOTHING}"
    rankings, times = pd.read_csv(folder / "ranking.csv"), pd.read_csv(folder / "times.csv")
    data = {
        "problems": sorted(statistics["problem"].unique()),
        "estimators": sorted(statistics["estimator"].unique()),
        "places": {by: _nested(rows, _place) for by, rows in rankings.groupby("by")},
        "cells": _nested(statistics.merge(times, how="left"), _cell),
        "machine": next(iter(times["machine"]), ""),
    }
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    held = f'<script type="application/json" id="atlas-data">{text}</script>'
    return "\n\n".join([INTRODUCTION, CONTROLS, held, '<script src="atlas.js"></script>'])


def _nested(rows: pd.DataFrame, of: Any) -> dict[str, dict[str, list[Any]]]:
    found: dict[str, dict[str, list[Any]]] = {}
    for row in rows.to_dict("records"):
        found.setdefault(row["problem"], {}).setdefault(row["estimator"], []).append(of(row))
    return found


def _place(row: dict[str, Any]) -> list[Any]:
    """The number of samples, the ratio to the best with its interval, and why it has no place."""
    aside = row["aside"] if isinstance(row["aside"], str) else ""
    return [row["num_samples"], *map(_short, (row["ratio"], row["low"], row["high"])), aside]


def _cell(row: dict[str, Any]) -> list[Any]:
    figures = [_short(row[f"{name}{end}"]) for name in FIGURES for end in ("", "_low", "_high")]
    told = [row["claim"], row["verdict"] if isinstance(row["verdict"], str) else "no reference"]
    return [row["num_samples"], *told, row["evaluations"], _short(row["seconds_per_gradient"]), *figures]


def _short(value: float) -> float | None:
    """Four digits; None where there is no number."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def with_rows(markdown: str, folder: Path) -> str:
    """A page in which each mark has become the table of the best estimators of a problem."""
    if not PLACE.search(markdown):
        return markdown
    file = folder / "ranking.csv"
    ranking = pd.read_csv(file) if file.exists() else pd.DataFrame()
    return PLACE.sub(lambda found: _best(ranking, found["problem"], found["by"], found["blind"] or ""), markdown)


def _best(ranking: pd.DataFrame, problem: str, by: str, blind: str) -> str:
    """The first of a problem by evaluations or seconds, of all or of those that need no derivative of the cost."""
    if ranking.empty:
        return NOTHING
    rows: Any = ranking.query("problem == @problem and by == @by and aside.isna()").sort_values(by=["ratio"])
    if rows.empty:
        raise ValueError(f"the atlas has no problem {problem} by {by}")
    if blind:
        rows = rows[rows["estimator"].map(_does_without_derivative(make_problem(problem)))]
    lines = [_line(row) for row in rows.head(SHOWN).to_dict("records")]
    of = "the best of all" if blind else "the best"
    titles = [f"on <code>{html.escape(problem)}</code>{blind}", "S", f"error at equal {by}, times {of}"]
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f'<table class="best"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def _does_without_derivative(problem: Problem) -> Callable[[str], bool]:
    """Whether an estimator takes the cost also where no derivative goes through it, and stays without bias."""
    twin = object.__new__(type(type(problem).__name__, (type(problem),), {"differentiable": False}))
    twin.__dict__.update(problem.__dict__)

    def does(spec: str) -> bool:
        estimator = make_estimator(spec)
        return estimator.unsupported(twin, 2) is None and estimator.claim(twin, 2) != "biased"

    return does


def _line(row: dict[str, Any]) -> str:
    """A row with a bar: the logarithm of the ratio, of which a thousand fills the width."""
    width = 100 * min(math.log10(max(row["ratio"], 1)) / 3, 1)
    tied = " (tied)" if row["low"] <= 1 < row["ratio"] else ""
    bar = f'<span class="bar" style="--width: {width:.1f}%"></span>'
    told = f"{bar}{number(row['ratio'])}{tied}" if row["ratio"] else "no noise at all"
    parts = [f"<code>{html.escape(row['estimator'])}</code>", str(row["num_samples"]), told]
    return f"<tr>{''.join(f'<td>{part}</td>' for part in parts)}</tr>"
