"""Writing the results of a run."""

import contextlib
import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from experiments.statistics import Interval
from experiments.store import schema
from experiments.store.columns import stored
from experiments.store.schema import (
    CELL_COLUMNS,
    DAMAGED,
    FILE_NAME,
    RESULTS,
    TABLES,
    Source,
    States,
    StoreError,
)

if TYPE_CHECKING:
    from experiments.sweep import Cell

__all__ = ["Store"]

NONE: Mapping[str, list[dict[str, Any]]] = MappingProxyType({})


class Store:
    """The one writer of a run's results. Keys of cells come from `experiments.sweep.Cell`."""

    def __init__(self, file: Path, connection: sqlite3.Connection, lock: sqlite3.Connection) -> None:
        self.file = file
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, folder: str | Path) -> "Store":
        """Open the results in a folder for writing; make both if they are not there yet.

        Raises:
            StoreError: someone else is writing, or the file is read-only, damaged, of another version or another kind.
        """
        file = Path(folder) / FILE_NAME
        with contextlib.ExitStack() as undo:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                lock = undo.enter_context(contextlib.closing(schema.connect(file.with_name(".lock"), timeout=0)))
                _take(lock, file)
                connection = undo.enter_context(contextlib.closing(schema.connect(file)))
                _prepare(connection, file)
            except OSError as error:
                raise StoreError(f"cannot write {file}: {error.strerror}; choose another --name or folder") from None
            except sqlite3.Error as error:
                raise _not_written(file, error) from None
            undo.pop_all()
        return cls(file, connection, lock)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Fold the log into the file and let go of the lock."""
        with contextlib.suppress(sqlite3.Error):  # a reader is in the file: its log stays, and loses nothing
            self._connection.execute("PRAGMA journal_mode=DELETE")
        self._connection.close()
        self._lock.close()

    def add_run(
        self,
        provenance: Mapping[str, str],
        planned_keys: Iterable[str],
        sweep: str = "{}",
        sources: Iterable[Source] = (),
        rows: Mapping[str, list[dict[str, Any]]] = NONE,
    ) -> None:
        """Begin a run. From here on `load` shows the cells that it plans, in this order, and no others.

        `sweep` is what it asks for, as JSON, `sources` are the files of its plug-ins, and `rows` results that are known
        already, by table: all of them are put, or none.
        """
        with self._transaction() as connection:
            found = json.dumps(dict(provenance))
            connection.execute("INSERT INTO runs (provenance, sweep) VALUES (?, ?)", [found, sweep])
            connection.execute("DELETE FROM sources")
            _insert(connection, "sources", [source._asdict() for source in sources])
            connection.execute("DELETE FROM plan")
            connection.executemany("INSERT INTO plan (key) VALUES (?)", ([key] for key in dict.fromkeys(planned_keys)))
            for table, known in rows.items():
                _insert(connection, table, known)

    def states(self) -> States:
        """How far each cell is, those of earlier runs included."""
        with self._transaction() as connection:
            return schema.states(connection)

    def interval(self, key: str, name: str) -> list[float]:
        """Value, low and high of a quantity of a cell that was measured; NaN where there is none."""
        listed = ", ".join(f'"{_known(column, CELL_COLUMNS)}"' for column in Interval.columns(name))
        with self._transaction() as connection:
            row = connection.execute(f"SELECT {listed} FROM cells WHERE key = ?", [key]).fetchone()
        return [math.nan if value is None else value for value in row]

    def seconds(self) -> dict[str, float]:
        """The seconds that the statistics of each cell took, by key; infinite where that is unknown."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT key, statistics_seconds FROM cells")
            return {key: math.inf if value is None else value for key, value in rows}

    def put_statistics(
        self, cell: "Cell", row: Mapping[str, Any], timed: bool = True, **tables: Iterable[Mapping[str, Any]]
    ) -> None:
        """Record the statistics of a cell: its row, and rows of other tables, which get its key.

        Its timing is `pending` from then on, unless the run is not `timed`.
        """
        with self._transaction() as connection:
            self._put_cell(connection, cell, dict(row), status="done", timing_status="pending" if timed else "")
            for table, entries in tables.items():
                _insert(connection, table, [{**entry, "key": cell.key} for entry in entries])

    def put_failure(
        self, cell: "Cell", error: str, status: str = "failed", traceback: str = "", attempts: int = 1
    ) -> None:
        """Record why a cell has no statistics: a status other than `done` and `skipped`, and a line."""
        with self._transaction() as connection:
            state = {"status": status, "error": error, "traceback": traceback or None}
            self._put_cell(connection, cell, {}, attempts=attempts, **state)

    def put_skipped(self, cell: "Cell", reason: str) -> None:
        """Record why the estimator does not support the problem."""
        with self._transaction() as connection:
            self._put_cell(connection, cell, {}, status="skipped", error=reason)

    def put_timing(self, key: str, columns: Mapping[str, Any], rounds: Mapping[str, Iterable[float]]) -> None:
        """Record the timing of a cell whose statistics are there: its columns, and the raw seconds by kind."""
        self._put_timing(key, {**columns, "timing_status": "done", "error": None, "traceback": None}, rounds)

    def put_timing_failure(self, key: str, error: str, status: str = "failed", traceback: str = "") -> None:
        """Record why a cell could not be timed. Its statistics stand."""
        state = {"timing_status": status, "error": error, "traceback": traceback or None}
        self._put_timing(key, {**dict.fromkeys(stored("timing")), **state}, {})

    def discard(self, keys: Iterable[str]) -> None:
        """Forget cells, so that they are measured anew."""
        with self._transaction() as connection:
            for key in keys:
                _delete(connection, key)

    def _put_cell(
        self, connection: sqlite3.Connection, cell: "Cell", row: dict[str, Any], attempts: int = 1, **state: Any
    ) -> None:
        before = connection.execute("SELECT attempts FROM cells WHERE key = ?", [cell.key]).fetchone()
        _delete(connection, cell.key)
        point = {column: getattr(cell, column) for column in stored("point")}
        point["compile"] = cell.compile is True  # a gradient that may be compiled for its statistics is timed eagerly
        if cell.train is not None:
            point |= {column: getattr(cell.train, column) for column in stored("settings")}
        state = {"timing_status": "", "attempts": (before[0] if before else 0) + attempts} | state
        _insert(connection, "cells", [{"fitted": False} | row | point | state])

    def _put_timing(self, key: str, columns: Mapping[str, Any], rounds: Mapping[str, Iterable[float]]) -> None:
        changes = ", ".join(f'"{_known(column, CELL_COLUMNS)}" = ?' for column in columns)
        with self._transaction() as connection:
            values = [*map(_plain, columns.values()), key]
            changed = connection.execute(f"UPDATE cells SET {changes} WHERE key = ? AND status = 'done'", values)
            if not changed.rowcount:
                raise StoreError(f"cell {key} has no statistics in {self.file}, so its timing was not recorded")
            _delete(connection, key, ("timings",))
            for kind, seconds in rounds.items():
                rows = [{"key": key, "kind": kind, "round": i, "seconds": value} for i, value in enumerate(seconds)]
                _insert(connection, "timings", rows)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
        except sqlite3.Error as error:
            raise _not_written(self.file, error) from None


def _take(lock: sqlite3.Connection, file: Path) -> None:
    """Hold an empty database of its own: the system lets go of it however the writer ends, and no child inherits it."""
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        raise StoreError(f"another process is writing {file}; wait for it, or choose another --name") from None


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    new = schema.is_empty(connection)
    if not new:
        schema.check(connection, file)
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise StoreError(f"{file} is damaged; move it away and run again")
    # A power cut may cost the last cells, which are then measured again; it never damages the file.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if new:
            schema.create(connection)


def _not_written(file: Path, error: sqlite3.Error) -> StoreError:
    damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    advice = DAMAGED if damaged else "check the folder and the space left, or choose another --name"
    return StoreError(f"cannot write {file}: {error}; {advice}")


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    columns = TABLES[table]
    listed = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    for row in rows:
        for column in row:
            _known(column, columns)
    values = ([_plain(row.get(column)) for column in columns] for row in rows)
    connection.executemany(f"INSERT INTO {table} ({listed}) VALUES ({marks})", values)


def _delete(connection: sqlite3.Connection, key: str, tables: Iterable[str] = RESULTS) -> None:
    for table in tables:
        connection.execute(f"DELETE FROM {table} WHERE key = ?", [key])


def _known(column: str, columns: Collection[str]) -> str:
    if column not in columns:
        raise StoreError(f"unknown column '{column}'")
    return column


def _plain(value: Any) -> Any:
    """What SQLite can hold: numbers of numpy and torch as Python's, text without lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value.item() if hasattr(value, "item") else value
