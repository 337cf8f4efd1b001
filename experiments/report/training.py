"""Which estimator trains a problem soonest."""

from dataclasses import replace
from typing import NamedTuple

from experiments.ranking.trained import trained
from experiments.store import Run
from experiments.store.columns import COLUMNS, Column, Row
from experiments.terminal.numbers import interval, number, seconds

__all__ = ["Training", "trainings"]


class Training(NamedTuple):
    problem: str
    target: float | None  # level of the objective; None where all cells have lost seeds
    columns: list[Column]
    rows: list[Row]  # the soonest first


def trainings(run: Run) -> list[Training]:
    """A table for each problem of the cells that were trained, in the order of the cells."""
    return [Training(one.problem, one.target, _columns(one.rows), one.rows) for one in trained(run)]


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
