"""Short names of specs, in the terminal, the report and figures: what tells them apart from others that are shown."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["called", "labels", "separated"]

UNSAID = ("score-function", "policy-gradient")
"""Estimators whose options are known by names of their own: leave-one-out is a way to take the score function."""
SHORT = 32
"""The most characters of a short name, unless nothing shorter is unambiguous."""
KEYLESS = ("advantage", "base", "control_variate", "form", "proposal", "scheme")
"""Options whose values are understood without their keys, where they are words."""
WORD = re.compile(r"(?!(?:none|auto)$)[a-z][\w-]*$")

Parts = tuple[str, dict[str, str]]

_called: ContextVar[Mapping[str, str] | None] = ContextVar("called", default=None)


@contextmanager
def called(names: Mapping[str, str]) -> Iterator[None]:
    """Specs have these names inside, as somebody wants to call them in a paper."""
    token = _called.set(names)
    try:
        yield
    finally:
        _called.reset(token)


def labels(specs: Iterable[str]) -> dict[str, str]:
    """The short name of each spec, which no other of them has; what follows a spec after a space stays.

    >>> list(labels(["pathwise", "stratified:scheme=sobol", "score-function:control_variate=leave-one-out"]).values())
    ['pathwise', 'stratified:sobol', 'leave-one-out']

    Options that all specs of a name have in common are left out, keys where their values say it, and the name where
    its options are known by themselves. Options that would make a name long become `…`, where it is the only one.
    """
    found = list(dict.fromkeys(specs))
    parsed = {spec: parts for spec in found if (parts := _parsed(spec)) is not None}
    choices = {spec: _choices(spec, parsed) if spec in parsed else [spec] for spec in found}
    place = dict.fromkeys(found, 0)
    while True:
        chosen = {spec: choices[spec][place[spec]] for spec in found}
        taken: dict[str, list[str]] = {}
        for spec, text in chosen.items():
            taken.setdefault(text, []).append(spec)
        clashing = [spec for same in taken.values() if len(same) > 1 for spec in same]
        longer = [spec for spec in clashing if place[spec] + 1 < len(choices[spec])]
        if not longer:
            given = _called.get() or {}
            return {spec: given.get(spec, name) for spec, name in chosen.items()}
        for spec in longer:
            place[spec] += 1


def _choices(spec: str, parsed: Mapping[str, Parts]) -> list[str]:
    """What a spec may be called, best first; the last is the spec itself."""
    name, options = parsed[spec]
    if not options:
        return [spec]
    others = [parts[1] for other, parts in parsed.items() if parts[0] == name and other != spec]
    telling = {key: value for key, value in options.items() if any(other.get(key) != value for other in others)}
    chosen = telling or options if others else options
    values, tail = _values(chosen), _tail(spec)
    said = ",".join(values)
    alone = said[1:-1] if len(values) == 1 and said.startswith("(") else said
    named = [alone, f"{name}:{said}"] if name in UNSAID else [f"{name}:{said}"]
    found = [*(text for text in named if len(text) <= SHORT), *([] if others else [f"{name}:…"]), *named]
    return [*dict.fromkeys(text + tail for text in found), spec]


def _values(options: Mapping[str, str]) -> Sequence[str]:
    """The options as briefly as they are understood; those of a spec inside a spec in the same way."""
    found = []
    for key, value in options.items():
        name, inner = _parsed(value) or (value, {})
        said = ",".join(_values(inner))
        short = name if not inner else said if name in UNSAID else f"({name}:{said})"
        found.append(short if key in KEYLESS and (inner or WORD.match(name)) else f"{key}={short}")
    return found


def _tail(spec: str) -> str:
    """What follows a spec: its mini-batch, the order of its derivatives."""
    return spec[len(_before(spec)) :]


def _before(text: str) -> str:
    return re.split(r",? ", text, maxsplit=1)[0]


def _parsed(spec: str) -> Parts | None:
    """The name and the options of a spec, as `estimators.interface.specs.split` finds them, which imports torch.

    None: it is no spec.
    """
    name, colon, rest = _before(spec).partition(":")
    options: dict[str, str] = {}
    for part in separated(rest) if colon else []:
        key, equals, value = part.partition("=")
        if not (equals and key and value):
            return None
        options[key] = value[1:-1] if value.startswith("(") and value.endswith(")") else value
    return name, options


def separated(text: str) -> list[str]:
    """The parts between the commas that stand outside of parentheses."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts
