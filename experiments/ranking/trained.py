"""Which estimator trains a problem soonest."""

import math
from typing import NamedTuple

from experiments.analysis.milestones import milestones
from experiments.store import Run
from experiments.store.columns import Row, records

__all__ = ["Trained", "trained"]


class Trained(NamedTuple):
    """The cells that trained a problem, the soonest first."""

    problem: str
    target: float | None
    """The level of the objective that they are to reach; None where all cells have lost seeds."""
    rows: list[Row]
    """With the columns of `milestones`."""


def trained(run: Run) -> list[Trained]:
    """One for each problem, in the order of the cells."""
    cells = {row["key"]: row for row in records(run.cells)}
    problems: dict[str, list[Row]] = {}
    for found in records(milestones(run.cells, run.traces)):
        row = cells[found["key"]] | found
        problems.setdefault(row["problem"], []).append(row)
    return [Trained(problem, rows[0]["target"], sorted(rows, key=_seconds)) for problem, rows in problems.items()]


def _seconds(row: Row) -> tuple[float, float]:
    known = row["seconds_to_target"]
    return (math.inf if known is None else known, row["steps_to_target"])
