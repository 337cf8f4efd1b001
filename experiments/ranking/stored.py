"""The rankings of a run, problem by problem, from what its store holds and nothing else."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from estimators.interface import EXPECTED_COST
from experiments.measuring.measurement import DISPUTED_REFERENCE
from experiments.ranking.entries import Quantity, quantity
from experiments.ranking.order import YARDSTICK, By, Ranked, places
from experiments.statistics import Interval, Work
from experiments.store import Run
from experiments.store.columns import Row, records
from experiments.timing.rounds import ROUNDS

__all__ = ["Placed", "Ranking", "comparable", "latencies", "ranked", "rankings", "work_of"]

TIMING = {
    "pending": "its timing is pending",
    "failed": "its timing failed",
    "timeout": "its timing ran past the limit",
    "out-of-memory": "its timing ran out of memory",
}

COLUMN: dict[Quantity, str] = {"MSE": "mse", "variance": "total_variance"}

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
    samples: list[int]
    """The numbers of samples that were tried, in order."""


def comparable(cells: DataFrame) -> DataFrame:
    """The cells whose errors can be compared: gradients of the expected cost, without the yardstick."""
    named = cells["estimator"].str.split(":").str[0] != YARDSTICK
    return cells.loc[named & cells["target"].fillna(EXPECTED_COST.name).eq(EXPECTED_COST.name)]


def rankings(run: Run, by: By = "seconds") -> list[Ranking]:
    """A ranking a problem, in the order of the cells; training cells are not ranked."""
    problems: dict[str, list[Row]] = {}
    for row in records(run.measured):
        problems.setdefault(row["measured_on"], []).append(row)
    rounds = latencies(run)
    return [_ranking(problem, rows, by, run.logs, rounds) for problem, rows in problems.items()]


def latencies(run: Run) -> Rounds:
    """The rounds of each cell that was timed."""
    timings = run.timings.query("kind == 'latency'").groupby("key")["seconds"] if len(run.timings) else []
    return {str(key): seconds.to_numpy(float) for key, seconds in timings}


def _ranking(problem: str, rows: Sequence[Row], by: By, logs: Logs, rounds: Rounds) -> Ranking:
    of = quantity((row["target"], _figure(row, "MSE", by) is not None) for row in rows)
    figures = [(row, _figure(row, of, by)) for row in rows]
    entries = [Placed(row, _entry(row, of, by, one, logs, rounds)) for row, one in figures if one is not None]
    best: dict[tuple[str, str, str], Placed] = {}
    for one in sorted(entries, key=lambda one: one.ranked.rank):
        best.setdefault((one.row["estimator"], one.row["device"], one.row["dtype"]), one)
    chosen = list(best.values())
    placed = [Placed(chosen[index].row, one) for index, one in places(one.ranked for one in chosen)]
    known = {one.row["estimator"] for one in best.values()}
    unranked = {row["estimator"]: _reason(row, of) for row in rows if row["estimator"] not in known}
    return Ranking(problem, of, placed, unranked, sorted({int(row["num_samples"]) for row in rows}))


def _figure(row: Row, of: Quantity, by: By) -> Interval | None:
    """The quantity times what a gradient costs; None: it is not known."""
    if by == "seconds":
        ends = Interval.of(row, f"work_normalized_{of.lower()}")
    else:
        ends = [None if end is None else end * row["evaluations"] for end in Interval.of(row, COLUMN[of])]
    return None if ends[0] is None else Interval(*(np.nan if end is None else end for end in ends))


def _entry(row: Row, of: Quantity, by: By, figure: Interval, logs: Logs, rounds: Rounds) -> Ranked:
    return ranked(row, row["estimator"], figure, work_of(row, of, by, logs, rounds))


def work_of(row: Row, of: Quantity, by: By, logs: Logs, rounds: Rounds) -> Work | None:
    """The quantity of a cell times what a gradient costs, with its groups; None: one of them is not known."""
    error, seconds, count = Interval.of(row, COLUMN[of]), rounds.get(row["key"]), row["evaluations"]
    price = seconds if by == "seconds" else None if count is None else np.full(ROUNDS, float(count))
    if price is None or None in error:
        return None
    return Work(error, logs.get((row["key"], COLUMN[of])), price, "evaluations" if by == "evaluations" else None)


def ranked(row: Row, estimator: str, figure: Interval, work: Work | None) -> Ranked:
    """A cell under a name, as others are compared with it."""
    biased = "biased" in (row["verdict"], row["claim"])
    target = row["target"] or EXPECTED_COST.name
    seen, still = row["verdict"] == "biased", row["total_variance"] == 0
    disputed = f'"{DISPUTED_REFERENCE}"' in (row["diagnostics"] or "")
    return Ranked(estimator, figure, biased, target, work, seen=seen, still=still, disputed=disputed)


def _reason(row: Row, by: Quantity) -> str:
    if row["target"] not in (None, EXPECTED_COST.name):
        return f"its gradient is that of another objective: {row['target']}"
    if row["seconds_per_gradient"] is None:
        return TIMING.get(row["timing_status"], "not timed")
    if row["nonfinite"]:
        return "some of its gradients are not finite"
    return f"its {by} is unknown"
