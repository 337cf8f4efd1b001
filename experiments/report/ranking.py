"""Which estimator to use, problem by problem."""

from typing import NamedTuple

from experiments.analysis.objectives import aside
from experiments.statistics import Interval
from experiments.store.columns import COLUMNS, Column, Row

__all__ = ["Ranking", "rankings"]

TIMING = {
    "pending": "its timing is pending",
    "failed": "its timing failed",
    "timeout": "its timing ran past the limit",
    "out-of-memory": "its timing ran out of memory",
}


class Ranking(NamedTuple):
    problem: str
    quantity: str  # what is multiplied by time: MSE or variance
    columns: list[Column]
    ranked: list[Row]  # best first, with `place`; one row an (estimator, device, dtype), at its best num_samples
    others: list[Row]  # likewise, of those that have no place, which `place` says why
    ties: int  # how many others have an interval that overlaps with that of the first
    unranked: dict[str, str]  # estimator -> why it has no place


def rankings(rows: list[Row]) -> list[Ranking]:
    """A ranking a problem, in the order of the cells."""
    problems: dict[str, list[Row]] = {}
    for row in rows:
        if row["status"] == "done":
            problems.setdefault(row["problem"], []).append(row)
    return [_rank(problem, cells) for problem, cells in problems.items()]


def _rank(problem: str, rows: list[Row]) -> Ranking:
    """By MSE × time where there is a gradient to compare with, exact or measured, else by variance × time."""
    quantity = "MSE" if any(row["work_normalized_mse"] is not None for row in rows) else "variance"
    name = f"work_normalized_{quantity.lower()}"
    best: dict[tuple[str, str, str], Row] = {}
    measured = [row | {"place": _without_place(row)} for row in rows if row[name] is not None]
    for row in sorted(measured, key=lambda row: (row["place"], row[name])):
        best.setdefault((row["estimator"], row["device"], row["dtype"]), row)
    ranked = [row for row in best.values() if not row["place"]]
    ties = [_overlap(row, ranked[0], name) for row in ranked[1:]]
    places = [f"{i} ≈" if tie else f"{i}" for i, tie in enumerate([False, *ties], start=1)]
    known = {row["estimator"] for row in best.values()}
    return Ranking(
        problem,
        quantity,
        _columns(quantity, name),
        [row | {"place": place} for row, place in zip(ranked, places, strict=False)],
        [row for row in best.values() if row["place"]],
        sum(ties),
        {row["estimator"]: _reason(row, quantity) for row in rows if row["estimator"] not in known},
    )


def _columns(quantity: str, name: str) -> list[Column]:
    return [
        Column("place", heading="place"),
        COLUMNS["estimator"],
        COLUMNS["num_samples"],
        COLUMNS["verdict"],
        Column("device", heading="device", note=lambda row: f", {row['dtype']}"),
        COLUMNS[name],
        COLUMNS["mse" if quantity == "MSE" else "total_variance"],
        COLUMNS["seconds_per_gradient"],
    ]


def _without_place(row: Row) -> str:
    """Why an estimator has no place, in the order in which they follow the others; '' where it has one."""
    return "biased" if "biased" in (row["verdict"], row["claim"]) else aside(row["estimator"])


def _overlap(row: Row, first: Row, name: str) -> bool:
    low, high = Interval.of(row, name).low, Interval.of(first, name).high
    return low is not None and high is not None and low <= high


def _reason(row: Row, quantity: str) -> str:
    if row["seconds_per_gradient"] is None:
        return TIMING.get(row["timing_status"], "not timed")
    if row["nonfinite"]:
        return "some of its gradients are not finite"
    return f"its {quantity} is unknown"
