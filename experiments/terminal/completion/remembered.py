"""The components that specs can name, remembered on disk, and how an incomplete spec can go on."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.machine.caching import cache_folder
from experiments.machine.files import replacing

__all__ = ["SOURCE", "continuations", "known"]

SOURCE = Path(__file__).resolve().parents[3]
Known = dict[str, dict[str, dict[str, list[str] | str]]]
"""Kind, name, option: the values to offer, or the kind of component that the option takes."""


def known() -> Known:
    """The components that are installed, from the cache while gradmark and the plug-ins are what they were."""
    file, state = cache_folder() / "completion.json", _state()
    try:
        cached = json.loads(file.read_text("utf-8"))
        if cached["state"] == state:
            return cached["known"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = _registered()
    with suppress(OSError, ValueError), replacing(file) as temporary:  # what cannot be written is found anew
        temporary.write_text(json.dumps({"state": state, "known": found}), "utf-8")
    return found


def _state() -> str:
    """The state of everything that the list of components follows from: the plug-ins' versions, and our own files."""
    from importlib.metadata import entry_points  # here, so that the command line starts fast

    entries = entry_points(group="gradmark.plugins")
    parts = [f"{entry.name} {entry.value} {entry.dist.version if entry.dist else ''}" for entry in entries]
    files = [file for folder in ("estimators", "experiments/problems") for file in (SOURCE / folder).rglob("*.py")]
    parts += [f"{file} {file.stat().st_mtime_ns}" for file in files]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _registered() -> Known:
    from estimators.registry import BASES, components  # torch, so not before it is needed

    return {kind: {name: _options(cls, BASES) for name, cls in components(kind).items()} for kind in BASES}


def _options(cls: type, bases: dict[Any, type]) -> dict[str, list[str] | str]:
    from estimators.interface import specs

    found: dict[str, list[str] | str] = {}
    for key, wanted in specs.option_types(cls).items():
        if (field := specs.options(cls).get(key)) is None:
            continue
        kinds = [kind for kind, base in bases.items() if isinstance(wanted, type) and issubclass(wanted, base)]
        choices = ["true", "false"] if wanted is bool else specs.choices(wanted)
        found[key] = kinds[0] if kinds else choices or [specs.value_text(field.default)]
    return found


def continuations(known: Known, kind: str, text: str) -> list[str]:
    """How an incomplete spec can go on: its name, or its last option with each value."""
    name, colon, rest = text.partition(":")
    if not colon:
        return [other for other in known[kind] if other.startswith(text)]
    options = known[kind].get(name, {})
    done = _before_the_last_option(rest)
    key, equals, value = rest[len(done) :].partition("=")
    start = f"{name}:{done}"
    if equals and isinstance(nested := options.get(key), str):
        opened = "(" if value.startswith("(") else ""
        return [f"{start}{key}={opened}{spec}" for spec in continuations(known, nested, value.removeprefix("("))]
    pairs = [
        f"{option}={one}"
        for option, values in options.items()
        for one in (known[values] if isinstance(values, str) else values)
    ]
    return [start + pair for pair in pairs if pair.startswith(key + equals + value)]


def _before_the_last_option(text: str) -> str:
    """The text up to the last comma outside parentheses."""
    depth, end = 0, 0
    for position, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            end = position + 1
    return text[:end]
