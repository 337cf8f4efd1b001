"""From specs to components."""

import inspect
import itertools
import types
import typing
from collections.abc import Mapping
from typing import Any

from estimators.interface import Component, Control, Estimator, Problem, specs
from estimators.registry.registration import BASES, Kind, components

__all__ = ["EVERY", "every", "expand", "make_estimator", "make_problem"]

EVERY = "*"
"""The name that stands for all that are registered."""

REASON = 240
"""The most characters of why a component refuses its options: it may repeat the spec of another."""


def make_estimator(spec: str) -> Estimator:
    """The estimator of a spec. ValueError: an unknown name, an unknown option or a bad value."""
    return typing.cast(Estimator, _make("estimator", spec))


def make_problem(spec: str) -> Problem:
    """The problem of a spec. ValueError: an unknown name, an unknown option or a bad value."""
    return typing.cast(Problem, _make("problem", spec))


def _make(kind: Kind, spec: str) -> Component:
    name, texts = specs.split(spec)
    known = components(kind)
    specs.check_known(kind, name, known)
    cls = known[name]
    texts = {cls.former.get(key, key): text for key, text in texts.items()}
    for key in texts:
        specs.check_known(f"option of {kind} '{name}':", key, specs.options(cls))
    types = specs.option_types(cls)
    values = {key: _value(text, types[key], f"option '{key}' of {kind} '{name}'") for key, text in texts.items()}
    try:
        return cls(**values)
    except ValueError as error:
        raise ValueError(f"{kind} '{specs.cut(spec)}': {specs.cut(error, REASON)}") from error


def _value(text: str, wanted: Any, where: str) -> Any:
    if isinstance(wanted, types.UnionType) and text != "none":
        wanted = typing.get_args(wanted)[0]
    for kind, base in BASES.items():
        if inspect.isclass(wanted) and issubclass(wanted, base):
            return _fitting(_make(kind, text), wanted, kind, where)
    return specs.convert(text, wanted, where)


def _fitting(made: Component, wanted: type[Component], kind: Kind, where: str) -> Component:
    """The component. ValueError: it is of its kind, but for something else."""
    if isinstance(made, wanted):
        return made
    known = [name for name, cls in components(kind).items() if issubclass(cls, wanted)]
    fits = f", which goes with {made.fits}" if isinstance(made, Control) else ""
    raise ValueError(f"{where} cannot be {made.name}{fits}; those that fit: {specs.listed(known)}")


def every(kind: Kind) -> list[str]:
    """Specs of all that are registered: of an estimator all variants, but for the exact gradient."""
    named = {name: cls for name, cls in components(kind).items() if name != "exact"}
    return [spec for name, cls in named.items() for spec in (cls.variants() if issubclass(cls, Estimator) else [name])]


def expand(kind: Kind, entry: str | Mapping[str, Any]) -> list[str]:
    """The canonical specs of a spec or of a TOML table; a list of values is a grid, and `*` is all of `every`.

    ValueError: as for building from a spec.
    """
    if entry in (EVERY, {"name": EVERY}):
        return [_make(kind, spec).spec for spec in every(kind)]
    if isinstance(entry, str):
        return [_make(kind, entry).spec]
    if not isinstance(entry.get("name"), str):
        raise ValueError(f'every {kind} needs a name: write {{name = "…"}}, not {specs.cut(dict(entry))}')
    axes = _axes(entry)
    found: list[str] = []
    for combination in itertools.product(*(values for _, values in axes)):
        pairs = [f"{key}=({text})" for (key, _), text in zip(axes, combination, strict=True)]
        found.append(_make(kind, f"{entry['name']}:{','.join(pairs)}" if pairs else entry["name"]).spec)
    return list(dict.fromkeys(found))


def _axes(table: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The options of a table, each with the texts of its alternatives."""
    axes = [(key, _alternatives(value)) for key, value in table.items() if key != "name"]
    for key, texts in axes:
        if not texts:
            raise ValueError(f"option {key!r} of {table.get('name')!r} is an empty list; leave it out for its default")
    return axes


def _alternatives(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _alternatives(item)]
    if isinstance(value, Mapping):
        axes = _axes(value)
        grids = itertools.product(*(values for _, values in axes))
        heads = [",".join(f"{key}=({text})" for (key, _), text in zip(axes, grid, strict=True)) for grid in grids]
        return [f"{value.get('name', '')}:{head}" if head else str(value.get("name", "")) for head in heads]
    return [str(value).lower() if isinstance(value, bool) else str(value)]
