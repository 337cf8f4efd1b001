"""The tables of a file of results, and what makes a SQLite file one."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from experiments.statistics import Interval
from experiments.store.columns import stored

__all__ = [
    "CELL_COLUMNS",
    "DAMAGED",
    "FAILURES",
    "FILE_NAME",
    "RESULTS",
    "SCHEMA_VERSION",
    "TABLES",
    "Source",
    "States",
    "StoreError",
    "check",
    "connect",
    "create",
    "is_empty",
    "states",
]

FILE_NAME = "results.sqlite"
APPLICATION_ID = 0x67726D6B  # "grmk", in the header of the file
SCHEMA_VERSION = 8
FAILURES = frozenset({"failed", "timeout", "out-of-memory"})
"""The statuses of cells, and of timings, that were tried and gave no figures."""


def _interval(name: str) -> dict[str, str]:
    return dict.fromkeys(Interval.columns(name), "REAL")


CELL_COLUMNS = stored()
TABLES = {
    "runs": {"id": "INTEGER PRIMARY KEY", "provenance": "TEXT NOT NULL", "sweep": "TEXT NOT NULL"},
    "sources": {"path": "TEXT NOT NULL", "is_plugin": "BOOLEAN NOT NULL", "content": "BLOB NOT NULL"},
    "plan": {"position": "INTEGER PRIMARY KEY", "key": "TEXT NOT NULL"},
    "cells": CELL_COLUMNS,
    "parameters": {
        "key": "TEXT NOT NULL",
        "parameter": "TEXT NOT NULL",
        "index": "INTEGER",
        "mean": "REAL",
        **_interval("variance"),
        "reference": "REAL",
    },
    "signals": {
        "key": "TEXT NOT NULL",
        "parameter": "TEXT NOT NULL",
        **_interval("total_variance"),
        **_interval("snr"),
    },
    "traces": {
        "key": "TEXT NOT NULL",
        "quantity": "TEXT NOT NULL",
        "step": "INTEGER NOT NULL",
        "replicate": "INTEGER",
        "value": "REAL",
    },
    "timings": {"key": "TEXT NOT NULL", "kind": "TEXT NOT NULL", "round": "INTEGER NOT NULL", "seconds": "REAL"},
    "leave_one_out": {"key": "TEXT NOT NULL", "quantity": "TEXT NOT NULL", "logs": "BLOB NOT NULL"},
}
RESULTS = (
    "cells",
    "parameters",
    "signals",
    "traces",
    "timings",
    "leave_one_out",
)  # the tables that tell of cells, by their key


def _definition(table: str) -> list[str]:
    """The statements that make a table and its index; the key of `cells` is an index already."""
    columns = TABLES[table]
    listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
    index = f"CREATE INDEX {table}_key ON {table} (key)"
    return [f"CREATE TABLE {table} ({listed})", *([index] if "key" in columns and table != "cells" else [])]


class Source(NamedTuple):
    """A file of a plug-in, as it was when its cells were measured."""

    path: str
    """Relative, with `/`: plug-ins of one folder lie in one folder, which is named by a number."""
    is_plugin: bool
    """Whether it is loaded; otherwise it lies beside one that imports it."""
    content: bytes


States = dict[str, tuple[str, str]]
"""Status and timing status of cells, by key."""
DAMAGED = "if it is damaged, move it away and run again"


class StoreError(ValueError):
    """A file of results cannot be read or written. One line that says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def connect(database: str | Path, timeout: float = 5.0) -> sqlite3.Connection:
    """Transactions are begun by hand, so that what belongs together is visible."""
    return sqlite3.connect(database, timeout=timeout, isolation_level=None, uri=isinstance(database, str))


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether the file is new, or was left before its tables were made."""
    return connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0


def states(connection: sqlite3.Connection) -> States:
    """How far each cell is, those included that the latest run does not plan."""
    rows = connection.execute("SELECT key, status, timing_status FROM cells")
    return {key: (status, timing_status) for key, status, timing_status in rows}


def create(connection: sqlite3.Connection) -> None:
    """Make the tables, inside a transaction of the caller."""
    for table in TABLES:
        for statement in _definition(table):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def check(connection: sqlite3.Connection, file: Path) -> None:
    """StoreError: the file holds something else, or its tables are those of another version."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{file} is not a file of gradmark results; choose another --name or path")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{file} was written by another version of gradmark (schema {version}, here {SCHEMA_VERSION}); "
            "move it away and run again, or use the version that wrote it"
        )
