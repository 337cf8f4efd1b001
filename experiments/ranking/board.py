"""A board of several runs: on each problem and number of samples, the estimators of all in groups of ties."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from estimators.registry import make_estimator, make_problem
from estimators.registry.named import nothing_imported
from experiments.ranking.entries import Quantity, quantity
from experiments.ranking.order import By, Ranked, groups
from experiments.ranking.stored import Logs, Rounds, latencies, ranked, work_of
from experiments.statistics import Interval, Work, log_standard_error
from experiments.store import Run
from experiments.store.columns import Row, records

__all__ = ["Board", "Entry", "boards"]


@dataclass(frozen=True)
class Entry:
    """A cell on a board."""

    row: Row
    source: str
    """The name of its run."""
    ranked: Ranked


@dataclass(frozen=True)
class Board:
    """The estimators on a problem with a number of samples."""

    problem: str
    """With its mini-batch and order, where it has those."""
    num_samples: int
    dtype: str
    by: By
    machine: str
    """The machine that they were timed on; '' where they are ranked by evaluations, which no machine decides."""
    quantity: Quantity
    """What is multiplied by seconds or evaluations."""
    groups: list[list[Entry]]
    """Those tied for best, then those tied for best of the others, and so on."""
    aside: list[Entry]
    """Those that have no place: `Ranked.aside` says why."""


@dataclass(frozen=True)
class _Cell:
    row: Row
    source: str
    estimator: str
    """Its spec, with the name of the run where it is a plug-in of that: another run's may be another."""
    logs: Logs
    rounds: Rounds

    @property
    def timed(self) -> bool:
        return self.row["key"] in self.rounds

    @property
    def error(self) -> float:
        """The standard error of the logarithm of the variance; infinite where it is not known."""
        known = Interval.of(self.row, "total_variance")
        found = math.inf if None in known else log_standard_error(known)
        return math.inf if math.isnan(found) else found

    def work(self, of: Quantity, by: By) -> Work | None:
        """The error times what it costs: runs do not share their noise."""
        found = None if self.row["evaluations"] is None else work_of(self.row, of, by, self.logs, self.rounds)
        return None if found is None else replace(found, noise=self.source)


def boards(runs: Mapping[str, Run]) -> list[Board]:
    """The boards of runs by their names: by variance × evaluations, and for each machine by MSE × seconds.

    Where several runs have the same cell, the one counts whose variance is known best.
    """
    places: dict[tuple[str, int, str], list[_Cell]] = {}
    with nothing_imported("a board runs no code"):
        for source, run in runs.items():
            for cell in _cells(source, run):
                problem = _told(make_problem, cell.row["problem"], cell.row["measured_on"], source)
                places.setdefault((problem, cell.row["num_samples"], cell.row["dtype"]), []).append(cell)
    found = []
    for place, cells in sorted(places.items()):
        found += _board(place, "evaluations", "", cells)
        for machine in sorted({cell.row["device_name"] for cell in cells if cell.timed}):
            found += _board(place, "seconds", machine, cells)
    return found


def _cells(source: str, run: Run) -> Iterator[_Cell]:
    rounds = latencies(run)
    for row in records(run.measured):
        estimator = _told(make_estimator, row["estimator"], row["estimator"], source)
        yield _Cell(row, source, estimator, run.logs, rounds)


def _told(make: Any, spec: str, text: str, source: str) -> str:
    try:
        make(spec)
    except ValueError:
        return f"{text} ({source})"
    return text


def _board(place: tuple[str, int, str], by: By, machine: str, cells: Sequence[_Cell]) -> list[Board]:
    """The board of a place, or none where nothing is known of it."""
    able = [one for one in cells if by == "evaluations" or (one.timed and one.row["device_name"] == machine)]
    known: dict[str, _Cell] = {}
    for one in sorted(able, key=lambda one: (one.error, one.source)):
        known.setdefault(one.estimator, one)
    mse_known = ((one.row["target"], one.row["mse"] is not None) for one in known.values())
    what: Quantity = "variance" if by == "evaluations" else quantity(mse_known)
    entries = [
        Entry(one.row, one.source, ranked(one.row, one.estimator, work.interval, work))
        for one in known.values()
        if (work := one.work(what, by)) is not None
    ]
    grouped, aside = groups([entry.ranked for entry in entries])
    in_groups = [[entries[index] for index in group] for group in grouped]
    found = Board(*place, by, machine, what, in_groups, [entries[index] for index in aside])
    return [found] if entries else []
