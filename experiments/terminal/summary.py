"""The main figures of a run as a table: of cells that were measured, and of cells that were trained."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from experiments.analysis.evaluations import differ_from_samples
from experiments.store import FAILURES
from experiments.terminal.numbers import interval, percent, seconds
from experiments.terminal.tables import print_table

__all__ = ["PLACES", "places", "print_cells", "summary"]

PLACES = ("device", "dtype", "compile", "seed", "training")
"""Columns that are shown only where they differ between cells."""

Columns = dict[str, Callable[[dict[str, Any]], str]]
"""What a column of the table says of a cell."""


def print_cells(cells: pd.DataFrame) -> None:
    """The main figures of all cells that are done, on stdout."""
    if "done" not in set(cells["status"]):
        return
    table = summary(cells)
    right = [name for name in table if name not in ("problem", "estimator", *PLACES)]
    print_table(list(table), table.to_numpy().tolist(), right=right)


def summary(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that are done, as text."""
    done = cells.query("status == 'done'")
    rows = done.to_dict("records")
    trained = [not pd.isna(row["steps"]) for row in rows]
    columns = _point(cells)
    if not all(trained) or not rows:
        columns |= _measured(cells) | {"time": _time, "MSE × s [95 %]": _interval("work_normalized_mse")}
    if any(trained):
        columns |= _trained() | {"time of a step": _time}
    return pd.DataFrame({name: [text(row) for row in rows] for name, text in columns.items()}, dtype=object)


def places(cells: Any) -> list[str]:
    """The columns of `PLACES` in which cells differ."""
    return [place for place in PLACES if place in cells and cells[place].nunique() > 1]


def _point(cells: pd.DataFrame) -> Columns:
    names = {"problem": "problem", "estimator": "estimator", "S": "num_samples"} | {
        name: name for name in places(cells)
    }
    return {name: _plain(column) for name, column in names.items()}


def _measured(cells: pd.DataFrame) -> Columns:
    counted: Columns = {
        "evaluations": _plain("evaluations"),
        "variance × evaluations [95 %]": _interval("evaluation_normalized_variance"),
    }
    return {
        **(counted if differ_from_samples(cells) else {}),
        "total variance [95 %]": _interval("total_variance"),
        "bias/‖g‖": _bias,
        "verdict": _plain("verdict"),
        "detectable": lambda cell: percent(cell["detectable_bias"]),
    }


def _trained() -> Columns:
    return {
        "seeds": _plain("replicates"),
        "steps": _plain("steps"),
        "diverged": _plain("diverged"),
        "objective [95 %]": _interval("objective"),
    }


def _plain(column: str) -> Callable[[dict[str, Any]], str]:
    return lambda cell: "" if pd.isna(cell[column]) else str(cell[column])


def _interval(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda cell: interval(cell[name], cell[f"{name}_low"], cell[f"{name}_high"])


def _bias(cell: dict[str, Any]) -> str:
    return percent(max(cell["squared_bias"], 0.0) ** 0.5 / cell["gradient_norm"]) if cell["gradient_norm"] else ""


def _time(cell: dict[str, Any]) -> str:
    return cell["timing_status"] if cell["timing_status"] in FAILURES else seconds(cell["seconds_per_gradient"])
