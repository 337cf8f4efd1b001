"""The tables of a file of results, and what makes a SQLite file one."""

import sqlite3
from pathlib import Path

__all__ = [
    "CELL_COLUMNS",
    "DAMAGED",
    "FAILURES",
    "FILE_NAME",
    "RESULTS",
    "TABLES",
    "States",
    "StoreError",
    "check",
    "columns",
    "connect",
    "create",
    "is_empty",
    "migrate",
    "states",
]

FILE_NAME = "results.sqlite"
APPLICATION_ID = 0x67726D6B  # "grmk", in the header of the file
SCHEMA_VERSION = 4
FAILURES = frozenset({"failed", "timeout", "out-of-memory"})
"""The statuses of cells, and of timings, that were tried and gave no figures."""


def _with_interval(*names: str) -> dict[str, str]:
    return {name + end: "REAL" for name in names for end in ("", "_low", "_high")}


POINT_COLUMNS = {
    "key": "TEXT PRIMARY KEY NOT NULL",
    "estimator": "TEXT NOT NULL",
    "problem": "TEXT NOT NULL",
    "num_samples": "INTEGER NOT NULL",
    "device": "TEXT NOT NULL",
    "dtype": "TEXT NOT NULL",
    "seed": "INTEGER NOT NULL",
    "compile": "BOOLEAN NOT NULL",
}
STATE_COLUMNS = {
    "status": "TEXT NOT NULL",
    "timing_status": "TEXT NOT NULL",
    "error": "TEXT",
    "traceback": "TEXT",
    "attempts": "INTEGER NOT NULL",
}
SETTING_COLUMNS = {"optimizer": "TEXT", "learning_rate": "REAL", "batch": "INTEGER"}
"""What tells training cells of one point apart."""
STATISTICS_COLUMNS = {
    "claim": "TEXT",
    "replicates": "INTEGER",
    "stop_reason": "TEXT",
    "nonfinite": "INTEGER",
    "evaluations": "INTEGER",
    **_with_interval("total_variance", "squared_bias", "mse", "snr", "cosine"),
    "verdict": "TEXT",
    "detectable_bias": "REAL",
    "p_value": "REAL",
    "gradient_norm": "REAL",
    "kurtosis": "REAL",
    "reference": "TEXT",
    "fitted": "BOOLEAN NOT NULL",
    "warnings": "TEXT",
    "diagnostics": "TEXT",
    "statistics_seconds": "REAL",
    "compile_seconds": "REAL",
}
TRAINING_COLUMNS = {"steps": "INTEGER", "diverged": "INTEGER", **_with_interval("objective")}
TIMING_COLUMNS = {
    **_with_interval("seconds_per_gradient", "seconds_per_gradient_batched"),
    **_with_interval("work_normalized_variance", "work_normalized_mse"),
    "kernel_seconds_per_gradient": "REAL",
    "peak_memory_bytes": "INTEGER",
}
SIGNAL_COLUMNS = {"key": "TEXT NOT NULL", "parameter": "TEXT NOT NULL", **_with_interval("total_variance", "snr")}
CELL_COLUMNS = {
    **POINT_COLUMNS,
    **STATE_COLUMNS,
    **STATISTICS_COLUMNS,
    **TIMING_COLUMNS,
    "device_name": "TEXT",
    **SETTING_COLUMNS,
    **TRAINING_COLUMNS,
}

TABLES = {
    "runs": {"id": "INTEGER PRIMARY KEY", "provenance": "TEXT NOT NULL"},
    "plan": {"position": "INTEGER PRIMARY KEY", "key": "TEXT NOT NULL"},
    "cells": CELL_COLUMNS,
    "parameters": {
        "key": "TEXT NOT NULL",
        "parameter": "TEXT NOT NULL",
        "index": "INTEGER",
        **dict.fromkeys(("mean", "variance", "variance_low", "variance_high", "reference"), "REAL"),
    },
    "signals": SIGNAL_COLUMNS,
    "traces": {
        "key": "TEXT NOT NULL",
        "quantity": "TEXT NOT NULL",
        "step": "INTEGER NOT NULL",
        "replicate": "INTEGER",
        "value": "REAL",
    },
    "timings": {"key": "TEXT NOT NULL", "kind": "TEXT NOT NULL", "round": "INTEGER NOT NULL", "seconds": "REAL"},
}
RESULTS = ("cells", "parameters", "signals", "traces", "timings")  # the tables that tell of cells, by their key


def _definition(table: str) -> list[str]:
    """The statements that make a table and its index; the key of `cells` is an index already."""
    columns = TABLES[table]
    listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
    index = f"CREATE INDEX {table}_key ON {table} (key)"
    return [f"CREATE TABLE {table} ({listed})", *([index] if "key" in columns and table != "cells" else [])]


def _added(table: str, columns: dict[str, str]) -> list[str]:
    return [f"ALTER TABLE {table} ADD COLUMN {column} {kind}" for column, kind in columns.items()]


MIGRATIONS = {
    1: _added("cells", {"traceback": "TEXT"}),
    2: [
        *_definition("signals"),
        *_added("cells", SETTING_COLUMNS | TRAINING_COLUMNS),
        *_added("traces", {"replicate": "INTEGER"}),
    ],
    3: _added("cells", {"compile_seconds": "REAL", "kernel_seconds_per_gradient": "REAL"}),
}
"""What makes a file of a version one of the next."""

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


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables of an older version up to date, inside a transaction of the caller."""
    for version in range(_version(connection), SCHEMA_VERSION):
        for statement in MIGRATIONS[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={version + 1}")


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """Those that a table has in this file, which may be of an older version."""
    return {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}


def _version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def check(connection: sqlite3.Connection, file: Path) -> None:
    """StoreError: the file holds something else, or comes from a newer version."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{file} is not a file of gradmark results; choose another --name or path")
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise StoreError(f"{file} was written by a newer gradmark (schema {version}); upgrade gradmark to use it")
