"""From the tables of a TOML file to typed objects, with errors of one line that name the key."""

import difflib
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

__all__ = ["convert", "nearest", "one_line"]

T = TypeVar("T")


def convert(table: dict[str, Any], kind: type[T], where: str) -> T:
    """An object of a struct type from a table. Where a list is wanted, a single value stands for a list of one.

    Raises:
        ValueError: an unknown key (with the nearest known one), a wrong type or a bad value; `where` comes first.
    """
    try:
        return msgspec.convert(_prepared(table, kind, ""), kind)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: {one_line(error)}") from None


def _prepared(value: Any, kind: Any, prefix: str) -> Any:
    if typing.get_origin(kind) is tuple:
        items = value if isinstance(value, list) else [value]
        return [_prepared(item, typing.get_args(kind)[0], prefix) for item in items]
    if not (isinstance(value, dict) and isinstance(kind, type) and kind is not dict):
        return value
    known = typing.get_type_hints(kind)
    for key in value:
        if key not in known:
            raise ValueError(f"unknown key {prefix + key!r}{nearest(key, known)}")
    return {key: _prepared(inner, known[key], f"{prefix}{key}.") for key, inner in value.items()}


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that offers the nearest known name; '' if none is known."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"; the nearest known is {found[0]!r}" if found else ""


def one_line(error: Exception) -> str:
    """The message of an error; of one of msgspec's the key first, in the words of TOML."""
    if isinstance(error, RecursionError):
        return "tables are nested too deeply"
    message, _, key = str(error).rpartition(" - at `$.")
    if message:
        message = f"{key[:-1]}: {message.replace('`object`', 'table').replace('`', '')}"
    return " ".join((message or str(error)).split())
