"""Which estimator trains a problem soonest."""

import math
from dataclasses import replace
from typing import NamedTuple

from experiments.analysis.milestones import milestones
from experiments.store import Run
from experiments.store.columns import COLUMNS, Column, Row, records
from experiments.terminal.numbers import interval, number, seconds

__all__ = ["Training", "trainings"]


class Training(NamedTuple):
    problem: str
    target: float | None  # level of the objective; None where all cells have lost seeds
    columns: list[Column]
    rows: list[Row]  # the soonest first


def trainings(run: Run) -> list[Training]:
    """A table for each problem of the cells that were trained, in the order of the cells."""
    cells = {row["key"]: row for row in records(run.cells)}
    problems: dict[str, list[Row]] = {}
    for found in records(milestones(run.cells, run.traces)):
        row = cells[found["key"]] | found
        problems.setdefault(row["problem"], []).append(row)
    return [
        Training(problem, rows[0]["target"], _columns(rows), sorted(rows, key=_seconds))
        for problem, rows in problems.items()
    ]


def _seconds(row: Row) -> tuple[float, float]:
    known = row["seconds_to_target"]
    return (math.inf if known is None else known, row["steps_to_target"])


def _columns(rows: list[Row]) -> list[Column]:
    several = len({row["training"] for row in rows}) > 1
    return [
        COLUMNS["estimator"],
        COLUMNS["num_samples"],
        *([COLUMNS["training"]] if several else []),
        Column("seconds_to_target", heading="time to the target", form=seconds, has_interval=True),
        Column("steps_to_target", heading="steps to the target", form=interval, has_interval=True),
        Column("reached", heading="seeds that reached it", form=number),
        COLUMNS["objective"],
        replace(COLUMNS["seconds_per_gradient"], heading="time of a step"),
    ]
