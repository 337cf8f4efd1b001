"""The text form of a component: `name` or `name:key=value,key=(nested:key=value)`.

A spec is data. Parsing gives a name and the texts of its options; what an option means is decided by the type of the
dataclass field that it names.
"""

import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

__all__ = [
    "OneOf",
    "canonical",
    "check_known",
    "choices",
    "convert",
    "cut",
    "listed",
    "nearest",
    "option_types",
    "options",
    "split",
    "value_text",
]

FORBIDDEN = set("()=,:\"'")
DEEPEST = 64
"""The most parentheses of a spec."""
TYPED = 80
"""The most characters of what was typed that an error repeats."""
MOST_NAMES = 20
"""The most known names that an error lists."""


@dataclasses.dataclass(frozen=True)
class OneOf:
    """An annotation of an option: its values are the names in a table, which may still grow."""

    names: Mapping[str, Any]


def choices(kind: Any) -> list[str]:
    """The values that an option of a type may have, where they are listed: a Literal or `Annotated[str, OneOf(…)]`."""
    if typing.get_origin(kind) is Literal:
        return list(typing.get_args(kind))
    return [
        name for part in getattr(kind, "__metadata__", ()) if isinstance(part, OneOf) for name in sorted(part.names)
    ]


def cut(text: Any, most: int = TYPED) -> str:
    """The text, without its middle where it is long."""
    text = str(text)
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]} … {text[-half:]}"


def split(spec: str) -> tuple[str, dict[str, str]]:
    """The name and the option texts of a spec. ValueError: malformed."""
    if not spec.isprintable():
        raise ValueError(f"spec {cut(repr(spec))} contains control characters")
    if spec.count("(") > DEEPEST:
        raise ValueError(f"spec '{cut(spec)}' has more than {DEEPEST} parentheses")
    name, _, rest = spec.strip().partition(":")
    if not name or FORBIDDEN & set(name):
        raise ValueError(f"spec '{cut(spec)}' does not start with a name; write name or name:key=value,key=value")
    if ":" in spec and not rest.strip():
        raise ValueError(
            f"spec '{cut(spec)}' ends after ':'; write name:key=value, or {cut(name)} alone for its defaults"
        )
    found: dict[str, str] = {}
    for part in _split_outside_parentheses(rest, spec) if rest else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (equals and key and value):
            raise ValueError(
                f"option '{cut(part)}' of spec '{cut(spec)}' is not of the form key=value, of which tables leave out "
                f"the key: gradmark list {cut(name)} has it"
            )
        if key in found:
            raise ValueError(f"option '{cut(key)}' stands twice in spec '{cut(spec)}'")
        found[key] = value[1:-1] if value.startswith("(") and value.endswith(")") else value
    return name.strip(), found


def _split_outside_parentheses(text: str, spec: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            break
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    if depth != 0:
        raise ValueError(f"parentheses do not match in spec '{cut(spec)}'")
    return [*parts, text[start:]]


def check_known(what: str, name: str, known: Iterable[str]) -> None:
    """ValueError naming the nearest known name, unless `name` is known."""
    known = sorted(known)
    if name not in known:
        raise ValueError(f"unknown {what} {cut(repr(name))}; {nearest(name, known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that offers the known name nearest to an unknown one, or all where none is near."""
    known = sorted(known)
    found = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {found[0]!r}?" if found else f"known: {listed(known) or 'none'}"


def listed(known: Sequence[str]) -> str:
    """Known names in an error; of a long list its beginning, and the command that has them all."""
    more = len(known) - MOST_NAMES
    return ", ".join(known) if more <= 0 else f"{', '.join(known[:MOST_NAMES])} and {more} more: see gradmark list"


def options(cls: type) -> dict[str, dataclasses.Field]:
    """The fields of a component class that a spec can set: all but data (init=False, or a module) and learned state.

    TypeError: it is no dataclass.
    """
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is no dataclass: write @dataclass(frozen=True) above the class")
    fields = [field for field in dataclasses.fields(cls) if field.init and not field.metadata.get("learned")]
    return {field.name: field for field in fields if not isinstance(field.default, nn.Module | Tensor)}


@functools.cache
def option_types(cls: type) -> Mapping[str, Any]:
    """The types of a class's fields."""
    return typing.get_type_hints(cls, include_extras=True)


def convert(text: Any, kind: Any, where: str) -> Any:
    """The value of an option of a plain type (bool, int, float, str, Literal, or a union with None) from its text."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        members = [member for member in typing.get_args(kind) if member is not type(None)]
        return None if str(text).lower() == "none" else convert(text, members[0], where)
    if known := choices(kind):
        check_known(f"value of {where}:", str(text), known)
        return str(text)
    if kind is bool:
        return _parse(text, where, "true or false", lambda raw: {"true": True, "false": False}[raw.lower()])
    if kind is int:
        return _parse(text, where, "a whole number", int)
    if kind is float:
        return _parse(text, where, "a finite number", _finite)
    return str(text)


def _parse(text: Any, where: str, wanted: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(str(text))
    except (ValueError, KeyError):
        raise ValueError(f"{where} must be {wanted}, not '{cut(text)}'") from None


def _finite(raw: str) -> float:
    value = float(raw)
    if not math.isfinite(value):
        raise ValueError(raw)
    return value


def canonical(component: Any) -> str:
    """The spec that builds an equal component: keys sorted, defaults left out."""
    name = component.name or type(component).__qualname__
    parts = []
    for key, field in sorted(options(type(component)).items()):
        value = getattr(component, key)
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if value != default:
            parts.append(f"{key}={value_text(value)}")
    return f"{name}:{','.join(parts)}" if parts else name


def value_text(value: Any) -> str:
    """An option's value as a spec writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if dataclasses.is_dataclass(value):
        text = canonical(value)
        return f"({text})" if ":" in text else text
    return str(value)
