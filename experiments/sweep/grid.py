"""From a sweep to its cells."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from estimators import registry
from experiments.machine.provenance import version
from experiments.sweep.cell import Cell
from experiments.sweep.convert import one_line
from experiments.sweep.keys import Exclude, Sweep
from experiments.training.settings import Train

__all__ = ["cells_of"]

MAX_CELLS = 1_000_000


def cells_of(sweep: Sweep) -> list[Cell]:
    """The cells, without duplicates, in an order that depends on the sweep alone. Imports the plug-ins.

    Raises:
        ValueError: a plug-in, a component or one of its options is wrong, or there are too many cells.
    """
    try:
        for plugin in sweep.plugins:
            registry.load_plugin(plugin)
        _check_size(sweep)
        return _cells(sweep)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"sweep '{sweep.name}': {one_line(error)}") from None


def _cells(sweep: Sweep) -> list[Cell]:
    axes: dict[str, list[Any]] = {
        "problem": _specs("problem", sweep.problem),
        "num_samples": list(dict.fromkeys(sweep.num_samples)),
        "batch": list(dict.fromkeys(sweep.batch)),
        "order": list(dict.fromkeys(sweep.order)),
        "device": list(dict.fromkeys(sweep.device)),
        "dtype": list(dict.fromkeys(sweep.dtype)),
        "estimator": _specs("estimator", sweep.estimator),
    }
    excluded = [[_chosen(rule, axis, values) for axis, values in axes.items()] for rule in sweep.exclude]
    estimators = {spec: registry.source_digest(registry.make_estimator(spec)) for spec in axes["estimator"]}
    problems = {spec: registry.source_digest(registry.make_problem(spec)) for spec in axes["problem"]}
    training = sweep.training()
    found = []
    for point in itertools.product(*axes.values()):
        if any(all(map(set.__contains__, rule, point)) for rule in excluded):
            continue
        named = dict(zip(axes, point, strict=True))
        code = f"{version() or 0} {estimators[named['estimator']]} {problems[named['problem']]}"
        settings = {key: getattr(sweep, key) for key in ("seed", "compile", "stop", "reference", "rounding")}
        found += [Cell(**named | _batch_of(train), **settings, train=train, code=code) for train in training]
    return found


def _batch_of(train: Train | None) -> dict[str, int]:
    """A training sets the mini-batch of its cell."""
    return {} if train is None else {"batch": train.batch}


def _specs(kind: Any, entries: Sequence[Any]) -> list[str]:
    """The canonical specs of all entries, each once."""
    try:
        found = list(dict.fromkeys(spec for entry in entries for spec in registry.expand(kind, entry)))
    except ValueError as error:
        raise ValueError(f"{kind}: {error}") from None
    if not found:
        raise ValueError(f"there is no {kind}: add one as a [[{kind}]] table, or by -{kind[0]} SPEC")
    return found


def _chosen(rule: Exclude, axis: Any, values: Sequence[Any]) -> set[Any]:
    """The values of an axis that a rule matches."""
    wanted = getattr(rule, axis)
    if axis not in ("estimator", "problem") or not wanted:
        return set(wanted or values)
    chosen: set[str] = set()
    for name in wanted:
        try:
            specs = registry.expand(axis, name)
        except ValueError as error:
            raise ValueError(f"exclude.{axis}: {error}") from None
        chosen.update(specs if ":" in name else (spec for spec in values if spec.partition(":")[0] == name))
    return chosen


def _check_size(sweep: Sweep) -> None:
    places = len(sweep.num_samples) * len(sweep.batch) * len(sweep.order) * len(sweep.device) * len(sweep.dtype)
    size = _size("estimator", sweep.estimator) * _size("problem", sweep.problem) * places
    if size > MAX_CELLS:
        raise ValueError(f"{size:,} cells are more than one sweep holds ({MAX_CELLS:,}); split it")


def _size(kind: Any, entries: Sequence[Any]) -> int:
    number = len(registry.every(kind))
    return sum(
        number if entry in (registry.EVERY, {"name": registry.EVERY}) else _grid_size(entry) for entry in entries
    )


def _grid_size(entry: Any) -> int:
    """An upper bound of the number of specs in tables with lists of alternatives, without building them."""
    if isinstance(entry, dict):
        return math.prod(_grid_size(option) for option in entry.values())
    return sum(map(_grid_size, entry)) if isinstance(entry, list | tuple) else 1
