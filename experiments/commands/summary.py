"""The main figures of a run as a table: of cells that were measured, and of cells that were trained."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from experiments.analysis.evaluations import differ_from_samples
from experiments.statistics import Interval, relative_bias
from experiments.store import FAILURES
from experiments.store.columns import COLUMNS, Row, records, rescaling
from experiments.terminal.numbers import number, seconds
from experiments.terminal.tables import print_table
from experiments.terminal.words import bias, verdict

__all__ = ["PLACES", "places", "print_cells", "summary"]

PLACES = ("mini_batch", "derivatives", "device", "dtype", "compile", "seed", "training")
"""Columns that are shown only where they differ between cells."""

Columns = dict[str, Callable[[Row], str]]
"""The headings of the table, each with a function that gives the text for a cell."""


def print_cells(cells: pd.DataFrame) -> None:
    """The main figures of all cells that are done, on stdout."""
    if "done" not in set(cells["status"]):
        return
    table = summary(cells)
    right = [name for name in table if name not in ("problem", "estimator", *PLACES)]
    print_table(list(table), table.to_numpy().tolist(), right=right)


def summary(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that are done, as text."""
    rows = records(cells.query("status == 'done'"))
    trained = [row["steps"] is not None for row in rows]
    columns = _point(cells)
    if not all(trained) or not rows:
        columns |= _measured(cells)
    if any(trained):
        columns |= _trained()
    return pd.DataFrame({name: [text(row) for row in rows] for name, text in columns.items()}, dtype=object)


def places(cells: Any) -> list[str]:
    """The columns of `PLACES` in which cells differ."""
    return [place for place in PLACES if place in cells and cells[place].nunique() > 1]


def _point(cells: pd.DataFrame) -> Columns:
    names = {"problem": "problem", "estimator": "estimator", "S": "num_samples"}
    varying = {COLUMNS[name].heading if name == "mini_batch" else name: name for name in places(cells)}
    named = {"derivatives": "derivatives"} if any(cells["derivatives"]) else {}
    return {heading: _shown(name) for heading, name in (names | varying | named).items()}


def _measured(cells: pd.DataFrame) -> Columns:
    counted: Columns = {
        "evaluations": _shown("evaluations"),
        "variance × evaluations [95 %]": _shown("evaluation_normalized_variance"),
    }
    return {
        **(counted if differ_from_samples(cells) else {}),
        "total variance [95 %]": _shown("total_variance"),
        **({"share of the mini-batch": _shown("batch_share")} if any(cells["mini_batch"]) else {}),
        "bias/‖g‖": _bias,
        "claim": _shown("claim"),
        "verdict": _verdict,
        "detectable": _shown("detectable_bias"),
        "time": _time,
        "MSE × s [95 %]": _shown("work_normalized_mse"),
    }


def _trained() -> Columns:
    return {
        "seeds": _shown("replicates"),
        "steps": _shown("steps"),
        "diverged": _shown("diverged"),
        "objective [95 %]": _shown("objective"),
        "time of a step": _time,
    }


def _shown(name: str) -> Callable[[Row], str]:
    column = replace(COLUMNS[name], note=None)
    return column.show


def _bias(cell: Row) -> str:
    """Relative to the norm of the gradient; of a rescaled gradient with the scale."""
    squared = Interval.of(cell, "squared_bias")
    relative = None if None in squared else relative_bias(squared, cell["gradient_norm"])
    scale = f" ({number(cell['scale'])} × g)" if rescaling(cell) else ""
    return bias(relative) + scale


def _verdict(cell: Row) -> str:
    return verdict(cell["verdict"]) if cell["steps"] is None else ""


def _time(cell: Row) -> str:
    return cell["timing_status"] if cell["timing_status"] in FAILURES else seconds(cell["seconds_per_gradient"])
