"""A share of the cells of a run, computed anew with other noise."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from estimators.registry import load_plugin, unload_plugin
from estimators.registry.named import nothing_imported
from experiments.engine.coordinator import Progress
from experiments.engine.experiment import Measured, Skipped
from experiments.engine.measure import measured
from experiments.engine.work import experiment_of
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.machine.deadline import TimeUp, deadline
from experiments.machine.errors import reason
from experiments.store import Run, Source
from experiments.store.bundles.archive import unsafe
from experiments.store.columns import Row, records, stored
from experiments.store.reading import framed
from experiments.store.schema import TABLES
from experiments.sweep import Cell
from experiments.terminal.telling import Tell, about
from experiments.verifying.answer import Answer
from experiments.verifying.choice import UNTRUSTED, candidates, cell_of, chosen
from experiments.verifying.consistency import misfits
from experiments.verifying.figures import Found, figures

__all__ = ["SECONDS", "verify"]

SECONDS = 60.0
"""What the sampling of a cell takes at the most."""
PATIENCE = 10.0
"""How many times that a cell may take in all, with its reference and what it learns."""


def verify(
    run: Run, seed: int, progress: Progress, *, cells: int | None = None, trust: bool = False, seconds: float = SECONDS
) -> Answer:
    """Compute some of the cells anew; None: a tenth of them, and one at least. `seed` chooses cells and noise.

    Code that is not gradmark's own is only run with `trust`: plug-ins from a private folder that does not last, and
    functions that specs name. ValueError: a plug-in cannot be loaded.
    """
    torch.set_num_threads(1)
    rows = records(run.done)
    with _trusted(run.sources) if trust else nothing_imported(UNTRUSTED):
        able = candidates(run, rows)
        wrong = [*misfits(run), *able.misstated]
        answer = Answer(seed, len(rows), impossible=able.impossible, misfits=wrong)
        again = chosen(able.possible, cells, seed)
        progress.start("computing anew", len(again))
        for row in again:
            what = f"{row['estimator']} · {row['problem']} · S={row['num_samples']}"
            found = _computed(row, run, seed, seconds, about(what, progress.doing))
            if isinstance(found, Found):
                _compare(row, run, found, answer)
            else:
                answer.failed.append((row, found))
            progress.advance(what)
    return answer


def _compare(row: Row, run: Run, found: Found, answer: Answer) -> None:
    try:
        answer.found.append((row, list(figures(_kept(row, run), found))))
    except (ArithmeticError, ValueError) as error:
        answer.misfits.append((row, f"its figures are none that can be compared: {reason(error)}"))


@contextlib.contextmanager
def _trusted(sources: Sequence[Source]) -> Iterator[None]:
    """The plug-ins of a bundle, loaded while this lasts."""
    with tempfile.TemporaryDirectory(prefix="gradmark-") as folder:
        for source in sources:
            if found := unsafe(source.path):
                raise ValueError(f"plug-in {source.path!r} is not written, since it {found}")
            file = Path(folder, source.path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(source.content)
        loaded = [Path(folder, source.path) for source in sources if source.is_plugin]
        try:
            for file in loaded:
                load_plugin(file)
            yield
        finally:
            for file in loaded:
                unload_plugin(file)


def _computed(row: Row, run: Run, seed: int, seconds: float, tell: Tell) -> Found | str:
    """What is found anew, or why nothing is. What a component prints is no result."""
    try:
        cell = cell_of(row, run, seed, seconds)
        with deadline(PATIENCE * seconds), contextlib.redirect_stdout(sys.stderr):
            found = _statistics(cell, row["seed"], tell)
    except TimeUp:
        return f"it takes longer than {PATIENCE * seconds:.0f} s"
    except (Exception, SystemExit) as error:
        return reason(error)
    if isinstance(found, Skipped):
        return found.reason
    return _found(row, found)


def _statistics(cell: Cell, fit_seed: int, tell: Tell) -> Measured | Skipped:
    """The statistics by noise of the cell's seed; figures are conditional on a fit, which is repeated as it was."""
    experiment = experiment_of(cell)
    if cell.train is not None:
        return experiment.statistics(tell)

    def prepared() -> Workload:
        place: dict[str, Any] = experiment.place | {"seed": fit_seed}
        learned = prepare(*experiment.components, **place, batch=cell.batch, order=cell.order)
        return learned.on_noise_of(cell.seed)

    return measured(cell, prepared, tell)


def _found(row: Row, measured: Measured) -> Found:
    """Rows as the store has them."""
    point = {name: row[name] for name in stored("point", "state", "settings")}
    tables = {"cells": [point | {"fitted": False} | measured.row], **measured.tables}
    frames = {
        name: framed(name, [[one.get(column) for column in TABLES[name]] for one in tables.get(name, [])])
        for name in ("cells", "parameters", "signals")
    }
    (cell,) = records(frames["cells"])
    return Found(cell, records(frames["parameters"]), records(frames["signals"]))


def _kept(row: Row, run: Run) -> Found:
    own = {name: getattr(run, name) for name in ("parameters", "signals")}
    return Found(row, **{name: records(frame.loc[frame["key"] == row["key"]]) for name, frame in own.items()})
