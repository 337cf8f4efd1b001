"""Which estimator trains a problem soonest."""

from __future__ import annotations

import math
from typing import NamedTuple

from experiments.analysis.milestones import milestones
from experiments.report.tables import ESTIMATOR, SAMPLES, Column, Row, duration, interval, number, records
from experiments.store import Run

__all__ = ["Training", "trainings"]


class Training(NamedTuple):
    problem: str
    target: float | None  # of the objective; None where all cells have lost seeds
    columns: list[Column]
    rows: list[Row]  # the soonest first


def trainings(run: Run) -> list[Training]:
    """A table a problem of the cells that were trained, in the order of the cells."""
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
        ESTIMATOR,
        SAMPLES,
        *([Column("training", "training")] if several else []),
        Column("time to the target", "seconds_to_target", duration),
        Column("steps to the target", "steps_to_target", interval),
        Column("seeds that reached it", "reached", number),
        Column("last objective", "objective", interval),
        Column("time of a step", "seconds_per_gradient", duration),
    ]
