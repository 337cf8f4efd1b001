"""Which cells of a run are computed anew, and as what."""

import hashlib
import math
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import find_device
from experiments.store import Run
from experiments.store.columns import Row
from experiments.sweep import Cell, Stop, Train
from experiments.verifying.consistency import misstated

__all__ = ["UNTRUSTED", "Candidates", "candidates", "cell_of", "chosen"]

SHARE = 10
"""One of so many cells is computed anew."""
UNTRUSTED = "code of a bundle could do anything on this machine: read it, and repeat with --trust"
FEWEST, MOST = 4_096, 10_000_000
"""Replicates of a cell: few say little of the figures of others."""


@dataclass(frozen=True)
class Candidates:
    """The cells of a run that have figures."""

    possible: list[Row]
    impossible: dict[str, str]
    """Why the others cannot be computed here, by their keys."""
    misstated: list[tuple[Row, str]]
    """What possible ones say of their components, and these do not."""


def candidates(run: Run, rows: Sequence[Row]) -> Candidates:
    """Those of the rows whose components are known here."""
    found, problem_of = Candidates([], {}, []), cache(make_problem)
    for row in rows:
        try:
            problem, estimator = problem_of(row["problem"]), make_estimator(row["estimator"])
        except ValueError as error:
            found.impossible[row["key"]] = str(error)
            continue
        found.possible.append(row)
        with suppress(Exception):  # what fails when it is asked fails where it is computed, too
            found.misstated.extend((row, told) for told in misstated(row, problem, estimator))
    return found


def chosen(rows: Sequence[Row], number: int | None, seed: int) -> list[Row]:
    """So many of the rows by chance, in their order; None: a tenth of them, and one at least."""
    size = math.ceil(len(rows) / SHARE) if number is None else min(number, len(rows))
    places = random.Random(seed).sample(range(len(rows)), size)
    return [rows[place] for place in sorted(places)]


def cell_of(row: Row, run: Run, seed: int, seconds: float) -> Cell:
    """What is computed for a row: by noise of its own, eagerly, and on the CPU where its device is not here."""
    replicates = min(max(row["replicates"], FEWEST), MOST)
    return Cell(
        row["estimator"],
        row["problem"],
        row["num_samples"],
        batch=row["batch"],
        order=row["order"],
        device=_device(row["device"]),
        dtype=row["dtype"],
        seed=_other_seed(row, seed),
        reference=row["reference"] != "none" or row["claim"] == "unbiased",
        stop=Stop(replicates=replicates, max_seconds=seconds),
        train=_training(row, run),
    )


def _other_seed(row: Row, seed: int) -> int:
    """One that is not the seed of the row, whatever `seed` is: equal noise would agree with itself."""
    digest = hashlib.sha256(f"{seed} {row['key']}".encode()).digest()
    found = int.from_bytes(digest[:7], "big")
    return found if found != row["seed"] else found + 1


def _device(name: str) -> str:
    try:
        return str(find_device(name))
    except ValueError:
        return "cpu"


def _training(row: Row, run: Run) -> Train | None:
    """The settings of a training cell; the steps from record to record stand in its curves alone."""
    if row["optimizer"] is None:
        return None
    own: Any = run.traces.loc[run.traces["key"] == row["key"], "step"]
    recorded = sorted(step for step in own.unique().tolist() if step > 0)
    record = recorded[0] if recorded else row["steps"]
    return Train(row["optimizer"], row["learning_rate"], row["batch"], row["steps"], record, row["replicates"])
