"""The rankings of a run, problem by problem, from what its store holds and nothing else."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from estimators.interface import EXPECTED_COST
from experiments.ranking.entries import Quantity, quantity
from experiments.ranking.order import YARDSTICK, Ranked, places
from experiments.statistics import Interval, Work
from experiments.store import Run
from experiments.store.columns import Row, records

__all__ = ["Placed", "Ranking", "comparable", "rankings"]

TIMING = {
    "pending": "its timing is pending",
    "failed": "its timing failed",
    "timeout": "its timing ran past the limit",
    "out-of-memory": "its timing ran out of memory",
}


Logs = Mapping[tuple[str, str], np.ndarray]
"""Logarithms of a quantity without group k, by key and quantity."""
Rounds = Mapping[str, np.ndarray]
"""Seconds of one gradient, one figure a round, by key."""


class Placed(NamedTuple):
    """A cell and its place."""

    row: Row
    ranked: Ranked


class Ranking(NamedTuple):
    """The estimators of a problem, each on each device and in each dtype at its best number of samples."""

    problem: str
    """With its mini-batch, where gradients are on those."""
    quantity: Quantity
    """What is multiplied by time."""
    placed: list[Placed]
    """Best first; then the cells that have no place (`Ranked.aside`)."""
    unranked: dict[str, str]
    """Why an estimator has no figure to be ranked by."""


def comparable(cells: DataFrame) -> DataFrame:
    """The cells whose errors can be compared: gradients of the expected cost, without the yardstick."""
    named = cells["estimator"].str.split(":").str[0] != YARDSTICK
    return cells.loc[named & cells["target"].fillna(EXPECTED_COST.name).eq(EXPECTED_COST.name)]


def rankings(run: Run) -> list[Ranking]:
    """A ranking a problem, in the order of the cells; training cells are not ranked."""
    problems: dict[str, list[Row]] = {}
    for row in records(run.measured):
        problems.setdefault(row["measured_on"], []).append(row)
    timings = run.timings.query("kind == 'latency'").groupby("key")["seconds"] if len(run.timings) else []
    rounds = {str(key): seconds.to_numpy(float) for key, seconds in timings}
    return [_ranking(problem, rows, run.logs, rounds) for problem, rows in problems.items()]


def _ranking(problem: str, rows: Sequence[Row], logs: Logs, rounds: Rounds) -> Ranking:
    by = quantity(row["work_normalized_mse"] is not None for row in rows)
    column = "mse" if by == "MSE" else "total_variance"
    entries = [Placed(row, _entry(row, by, column, logs, rounds)) for row in rows if row[_figure(by)] is not None]
    best: dict[tuple[str, str, str], Placed] = {}
    for one in sorted(entries, key=lambda one: one.ranked.rank):
        best.setdefault((one.row["estimator"], one.row["device"], one.row["dtype"]), one)
    chosen = list(best.values())
    placed = [Placed(chosen[index].row, one) for index, one in places(one.ranked for one in chosen)]
    known = {one.row["estimator"] for one in best.values()}
    unranked = {row["estimator"]: _reason(row, by) for row in rows if row["estimator"] not in known}
    return Ranking(problem, by, placed, unranked)


def _figure(by: Quantity) -> str:
    return f"work_normalized_{by.lower()}"


def _entry(row: Row, by: Quantity, column: str, logs: Logs, rounds: Rounds) -> Ranked:
    figure, seconds = Interval.of(row, _figure(by)), rounds.get(row["key"])
    figure = Interval(*(np.nan if value is None else value for value in figure))
    work = None
    if seconds is not None and None not in Interval.of(row, column):
        work = Work(Interval.of(row, column), logs.get((row["key"], column)), seconds)
    biased = "biased" in (row["verdict"], row["claim"])
    target = row["target"] or EXPECTED_COST.name
    seen, still = row["verdict"] == "biased", row["total_variance"] == 0
    return Ranked(row["estimator"], figure, biased, target, work, seen=seen, still=still)


def _reason(row: Row, by: Quantity) -> str:
    if row["target"] not in (None, EXPECTED_COST.name):
        return f"its gradient is that of another objective: {row['target']}"
    if row["seconds_per_gradient"] is None:
        return TIMING.get(row["timing_status"], "not timed")
    if row["nonfinite"]:
        return "some of its gradients are not finite"
    return f"its {by} is unknown"
