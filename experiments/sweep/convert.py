"""From the tables of a TOML file to typed objects, with errors of one line that name the key."""

import re
import types
import typing
from typing import Any, TypeVar

import msgspec

from estimators.interface.specs import nearest

__all__ = ["convert", "one_line"]

WORDS = {"array": "array", "bool": "boolean", "float": "float", "int": "integer", "object": "table", "str": "string"}
"""The TOML names of the types, by their msgspec names."""

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
    if isinstance(kind, types.UnionType) and type(None) in typing.get_args(kind):
        kind = next(other for other in typing.get_args(kind) if other is not type(None))
    if typing.get_origin(kind) is tuple:
        items = value if isinstance(value, list) else [value]
        return [_prepared(item, typing.get_args(kind)[0], prefix) for item in items]
    if not (isinstance(value, dict) and isinstance(kind, type) and kind is not dict):
        return value
    known = typing.get_type_hints(kind)
    for key in value:
        if key not in known:
            raise ValueError(f"unknown key {prefix + key!r}; {nearest(key, known)}")
    return {key: _prepared(inner, known[key], f"{prefix}{key}.") for key, inner in value.items()}


def one_line(error: Exception) -> str:
    """The message of an error; of one of msgspec's the key first, in the words of TOML."""
    if isinstance(error, RecursionError):
        return "tables are nested too deeply"
    message, _, key = str(error).rpartition(" - at `$.")
    if message:
        message = message.replace("Expected", "expected").replace("Invalid enum value", "unknown value")
        message = message.replace("Object missing required field", "there is no")
        message = f"{key[:-1]}: {re.sub('`([^`]*)`', _in_words, message)}"
    return " ".join((message or str(error)).split())


def _in_words(types: re.Match[str]) -> str:
    return " or ".join(WORDS.get(name, name) for name in types[1].removesuffix(" | null").split(" | "))
