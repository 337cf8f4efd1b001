"""Reading the results of a run, which may still be going on."""

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.util import hash_pandas_object

from experiments.store import schema
from experiments.store.columns import COLUMNS, records
from experiments.store.derived import derived
from experiments.store.schema import DAMAGED, FILE_NAME, RESULTS, TABLES, Source, States, StoreError
from experiments.terminal.html import html_table

__all__ = ["Run", "framed", "load_store", "states"]

POINT = ("problem", "estimator", "num_samples")
MAIN = (*POINT, "total_variance", "verdict", "seconds_per_gradient", "work_normalized_mse")
"""The columns that a notebook shows."""
SHOWN = 20
"""Its most rows."""


@dataclass(frozen=True)
class Run:
    """What a run has found so far: tidy frames, in the order of its plan; NaN or None where there is no value."""

    cells: pd.DataFrame
    """A row a cell, with the columns of `CELL_COLUMNS` and those of `derived`."""
    parameters: pd.DataFrame
    """A row a parameter entry: key, parameter, index, mean, variance, variance_low, variance_high, reference."""
    signals: pd.DataFrame
    """A row a named parameter: key, parameter, and its total variance and SNR, each with its interval."""
    traces: pd.DataFrame
    """Training curves, a row a recorded step and seed: key, quantity, step, replicate, value."""
    timings: pd.DataFrame
    """Raw rounds: key, kind, round, seconds."""
    provenance: dict[str, str]
    """The provenance of the latest run."""
    plan: tuple[str, ...]
    """The keys of all cells of the latest run, those that are missing included."""
    leave_one_out: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["key", "quantity", "logs"]))
    """For paired comparisons: key, quantity, and the logarithms of the quantity without group k, as float64."""
    sweep: str = "{}"
    """What the latest run asks for, as JSON."""
    sources: tuple[Source, ...] = ()
    """The files of its plug-ins."""

    @property
    def done(self) -> pd.DataFrame:
        """The cells that have their statistics."""
        return self.cells.query("status == 'done'")

    @property
    def measured(self) -> pd.DataFrame:
        """Those of them whose estimator was measured."""
        return self.done.query("steps.isna()")

    @property
    def trained(self) -> pd.DataFrame:
        """Those of them whose estimator has trained."""
        return self.done.query("steps.notna()")

    def _repr_html_(self) -> str:
        """The main figures of the first cells, for a notebook."""
        done = records(self.done.head(SHOWN))
        rows = [[COLUMNS[name].show(row) for name in MAIN] for row in done]
        more = len(self.done) - len(done)
        found = f"{len(self.done):,} of {self.planned:,} cells are done"
        left = f"; {more:,} more are in `cells`" if more else ""
        return html_table(rows, [COLUMNS[name].title for name in MAIN], found + left)

    @cached_property
    def logs(self) -> dict[tuple[str, str], np.ndarray]:
        """The arrays of `leave_one_out`, `[G]`, by key and quantity."""
        kept = zip(*(self.leave_one_out[name] for name in ("key", "quantity", "logs")), strict=True)
        return {(key, quantity): np.frombuffer(values, "<f8") for key, quantity, values in kept}

    @cached_property
    def content(self) -> str:
        """A digest of all that is held: equal for two runs that hold the same, whenever they were begun."""
        told = {name: value for name, value in self.provenance.items() if name != "time"}
        found = hashlib.sha256(json.dumps([told, self.plan]).encode())
        for table in RESULTS:
            frame = getattr(self, table)
            found.update(json.dumps(list(frame)).encode())
            rows = hash_pandas_object(frame, index=False)  # pyright: ignore[reportCallIssue]
            found.update(rows.to_numpy().tobytes())
        return found.hexdigest()

    @property
    def planned(self) -> int:
        """The number of cells in the latest run."""
        return len(self.plan)


def load_store(file: Path) -> Run:
    """The results in a SQLite file. Raises what `load` does."""
    with _opened(file) as connection:
        if schema.is_empty(connection):
            raise StoreError(f"no results in {file} yet; repeat the run that began it")
        schema.check(connection, file)
        connection.execute("BEGIN")  # one moment of a run that may still be going on
        runs = connection.execute("SELECT provenance, sweep FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        sources = connection.execute("SELECT path, is_plugin, content FROM sources ORDER BY rowid")
        return Run(
            **{table: _frame(connection, table) for table in RESULTS if table != "cells"},
            cells=derived(_frame(connection, "cells")),
            provenance=json.loads(runs[0]) if runs else {},
            plan=tuple(key for (key,) in connection.execute("SELECT key FROM plan ORDER BY position")),
            sweep=runs[1] if runs else "{}",
            sources=tuple(Source(path, bool(is_plugin), content) for path, is_plugin, content in sources),
        )


def states(folder: Path) -> States:
    """How far each cell in a folder is; none where no run has begun yet.

    Raises:
        StoreError: as for `load`, or nothing can be written there.
    """
    file = folder / FILE_NAME
    if not file.exists():
        nearest = next(parent for parent in file.absolute().parents if parent.exists())
        if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
            raise StoreError(f"cannot write {file}: {nearest} is no folder that can be written; choose another --name")
        return {}
    with _opened(file) as connection:
        if schema.is_empty(connection):
            return {}
        schema.check(connection, file)
        return schema.states(connection)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    try:
        # Not mode=ro: what a killed writer left half-done must be undone before the first read.
        with contextlib.closing(schema.connect(f"{file.absolute().as_uri()}?mode=rw")) as connection:
            yield connection
    except StoreError:
        raise
    except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
        raise StoreError(f"cannot read {file}: {error}; {DAMAGED}") from None


def _frame(connection: sqlite3.Connection, table: str) -> pd.DataFrame:
    """The rows of a table that belong to planned cells. The types do not depend on the rows."""
    listed = ", ".join(f't."{column}"' for column in TABLES[table])
    query = f"SELECT {listed} FROM plan JOIN {table} t USING (key) ORDER BY position, t.rowid"
    return framed(table, connection.execute(query).fetchall())


def framed(table: str, rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Rows of a table, whose values are in the order of its columns. The types do not depend on the rows."""
    columns = TABLES[table]
    frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
    return frame.astype({column: _dtype(kind) for column, kind in columns.items()})


def _dtype(kind: str) -> str:
    """A count that may be missing is Int64, so that it does not turn into a float; text stays str or None."""
    if kind.startswith("INTEGER"):
        return "int64" if "NOT NULL" in kind else "Int64"
    return {"BOOLEAN": "bool", "REAL": "float64", "TEXT": "object", "BLOB": "object"}[kind.split()[0]]
