"""The tables of a run as text: a line a row, each a JSON object with the columns that have a value."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

import msgspec
import numpy as np
import pandas as pd

from experiments.store.bundles.texts import is_plain, plain
from experiments.store.columns import records
from experiments.store.reading import framed
from experiments.store.schema import RESULTS, TABLES

__all__ = ["FILES", "key_of", "lines", "table"]

FILES = MappingProxyType({table: f"{table}.jsonl" for table in RESULTS})
INFINITE = {"Infinity": math.inf, "-Infinity": -math.inf}
NUMBER = float | Literal["Infinity", "-Infinity"]
KINDS: Mapping[str, Any] = {"TEXT": str, "REAL": NUMBER, "INTEGER": int, "BOOLEAN": bool, "BLOB": list[NUMBER]}
WITHHELD = "traceback"
"""The column that stays at home: it names folders of the machine, and says no more than the error does."""


def lines(frame: pd.DataFrame, name: str) -> bytes:
    """The rows of a table."""
    columns = [column for column in TABLES[name] if column != WITHHELD]
    rows = records(frame.loc[:, columns])
    texts = (json.dumps(_written(row), ensure_ascii=False, allow_nan=False, separators=(", ", ": ")) for row in rows)
    return "".join(f"{text}\n" for text in texts).encode()


def table(content: bytes, name: str) -> pd.DataFrame:
    """The frame of the lines. ValueError: a line is no row of this table."""
    decoder, columns = msgspec.json.Decoder(_row(name)), TABLES[name]
    rows = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            found = decoder.decode(line)
            rows.append([_read(getattr(found, column), columns[column]) for column in columns])
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise ValueError(f"{FILES[name]}, line {number}: {error}") from None
    if content and not content.endswith(b"\n"):
        raise ValueError(f"{FILES[name]} ends within a line")
    try:
        return framed(name, rows)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{FILES[name]}: {error}") from None


def key_of(line: bytes) -> str:
    """The cell that a line is of; '' where it does not say."""
    try:
        return msgspec.json.decode(line, type=_Keyed).key
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return ""


class _Keyed(msgspec.Struct):
    key: str


@cache
def _row(name: str) -> type[msgspec.Struct]:
    """What a line of a table has to be."""
    fields = [_field(column, kind) for column, kind in TABLES[name].items()]
    return msgspec.defstruct(name, sorted(fields, key=len), forbid_unknown_fields=True)


def _field(column: str, kind: str) -> tuple[str, Any] | tuple[str, Any, Any]:
    wanted = KINDS[kind.split()[0]]
    return (column, wanted) if "NOT NULL" in kind else (column, wanted | None, None)


def _written(row: Mapping[str, Any]) -> dict[str, Any]:
    return {column: _plain(value) for column, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    """The value as JSON has it, which knows no infinity."""
    if isinstance(value, bytes):
        return [_plain(float(one)) for one in np.frombuffer(value, "<f8")]
    if isinstance(value, str):
        return plain(value)
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _read(value: Any, kind: str) -> Any:
    """The value as the store has it. ValueError: a text is an order to a terminal."""
    if isinstance(value, str) and not is_plain(value):
        raise ValueError("a text has control characters")
    if kind.startswith("BLOB"):
        return np.array([_number(one) for one in value], "<f8").tobytes()
    return _number(value) if kind.startswith("REAL") else value


def _number(value: Any) -> float | None:
    return None if value is None else INFINITE.get(value, value)


def by_cell(contents: Mapping[str, bytes], names: Sequence[str] = RESULTS) -> dict[str, list[bytes]]:
    """The lines of each cell, by its key, in the order of the tables."""
    found: dict[str, list[bytes]] = {}
    for name in names:
        for line in contents.get(FILES[name], b"").split(b"\n"):
            if line:
                found.setdefault(key_of(line), []).append(name.encode() + b" " + line)
    return found
