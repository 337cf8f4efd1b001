"""The part of a run that a person asks for: `estimator=leave-one-out,S=8`."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pandas import DataFrame

from estimators.interface import specs
from estimators.registry import Kind, make_estimator, make_problem
from experiments.store import Run
from experiments.store.columns import Row, records
from experiments.store.schema import RESULTS
from experiments.terminal.labels import labels, separated

__all__ = ["where"]

SPECS: tuple[Kind, ...] = ("estimator", "problem")
COLUMNS = ("num_samples", "batch", "order", "device", "dtype", "seed", "compile", "optimizer", "learning_rate")
COLUMNS += ("status", "claim", "verdict")
SHORT = {"S": "num_samples"}
MOST = 20
"""Values that an error lists."""
FORM = "--where takes KEY=VALUE,KEY=VALUE, as in estimator=pathwise,S=8"

Values = Callable[[Row], list[str]]
"""What a key may be said to be in a row of the cells, the most usual first."""


def where(run: Run, conditions: Iterable[str]) -> Run:
    """The run with the cells that meet the conditions, each `KEY=VALUE` or several with commas between them.

    A key is a column of a cell (estimator, problem, num_samples or S, device, …) or an option of its estimator or of
    its problem. An estimator or a problem is given as it is shown or by its spec; a name that none is shown by stands
    for all with that name. Of several values of one key any will do.

    Raises:
        ValueError: a condition has no such form, its key is unknown, or nothing meets it: which values there are.
    """
    asked, cells = _asked(conditions), run.cells
    texts = {key: _values(key, cells) for key in asked}
    for key, values in asked.items():
        known = [texts[key](row) for row in records(cells)]
        exact = {value for value in values if any(value in found[:2] for found in known)}
        met = [any(value in (found[:2] if value in exact else found) for value in values) for found in known]
        if not any(met):
            raise ValueError(_nothing(key, values, known, narrowed=len(cells) < len(run.cells)))
        cells = cells.loc[met]
    return _of(run, cells)


def _asked(conditions: Iterable[str]) -> dict[str, list[str]]:
    asked: dict[str, list[str]] = {}
    for part in (part for text in conditions for part in separated(text)):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (equals and key and value):
            raise ValueError(f"{FORM}; not '{specs.cut(part)}'")
        inner = value[1:-1] if value.startswith("(") and value.endswith(")") else value
        asked.setdefault(SHORT.get(key, key), []).append(_plain(inner))
    return asked


def _values(key: str, cells: DataFrame) -> Values:
    """ValueError: there is no such key."""
    if key in COLUMNS:
        return lambda row: [_plain(str(row[key]))]
    if key in SPECS:
        named = labels(cells[key])
        return lambda row: [named[row[key]], row[key], row[key].partition(":")[0]]
    options = {kind: {spec: _options(kind, spec) for spec in set(cells[kind])} for kind in SPECS}
    known = {name for of in options.values() for own in of.values() for name in own}
    if key not in known:
        every = {*SPECS, *COLUMNS, *SHORT, *known}
        raise ValueError(f"--where knows no '{specs.cut(key)}' in this run; {specs.nearest(key, every)}")
    return lambda row: [text for kind in SPECS for text in options[kind][row[kind]].get(key, [])]


def _options(kind: Kind, spec: str) -> dict[str, list[str]]:
    """The options of a component, with those of the components in it and with defaults where it is known here."""
    try:
        return _of_component(make_estimator(spec) if kind == "estimator" else make_problem(spec))
    except ValueError:
        pass
    try:
        return {key: [_plain(text)] for key, text in specs.split(spec)[1].items()}
    except ValueError:
        return {}


def _of_component(made: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in specs.options(type(made)):
        value = getattr(made, key)
        text = specs.value_text(value).removeprefix("(").removesuffix(")")
        found.setdefault(key, []).extend(dict.fromkeys([text, text.partition(":")[0]]))
        if dataclasses.is_dataclass(value):
            for inner, texts in _of_component(value).items():
                found.setdefault(inner, []).extend(texts)
    return found


def _plain(text: str) -> str:
    """Numbers in one form: 0.10 is 0.1."""
    try:
        return specs.value_text(float(text))
    except (ValueError, OverflowError):
        return text.lower() if text in ("True", "False") else text


def _nothing(key: str, values: Sequence[str], known: Iterable[Sequence[str]], *, narrowed: bool) -> str:
    """That no cell has one of the values, and which there are."""
    there = list(dict.fromkeys(found[0] for found in known if found))
    among = " among the cells that meet the rest" if narrowed else " in this run"
    asked = " or ".join(f"{key}={specs.cut(value)}" for value in values)
    more = f" and {len(there) - MOST} more" if len(there) > MOST else ""
    return f"nothing has {asked}{among}; {key} may be {', '.join(there[:MOST]) or 'nothing'}{more}"


def _of(run: Run, cells: DataFrame) -> Run:
    keys = set(cells["key"])
    frames = {name: getattr(run, name) for name in RESULTS if name != "cells"}
    kept = {name: frame[frame["key"].isin(keys)] for name, frame in frames.items() if "key" in frame}
    plan = tuple(key for key in run.plan if key in keys)
    return dataclasses.replace(run, cells=cells, plan=plan, **kept)
