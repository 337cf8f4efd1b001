"""Problems that differ in one numeric option, which a figure or a fit takes as its axis."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from estimators.interface import specs
from estimators.registry import make_problem

__all__ = ["LEAST_LEVELS", "Series", "find_series", "within"]

LEAST_LEVELS = 3


class Series(NamedTuple):
    """Problems of one name that differ in one numeric option."""

    name: str
    """Their spec, without the option."""
    option: str
    levels: dict[str, float]
    """The value of the option of each problem, rising."""


def find_series(problems: Iterable[str], along: str | None = None) -> list[Series]:
    """The series of a run's problems, in their order, along an option.

    Without one, the option with most values is taken if it has three or more; an option that is asked for needs two.
    """
    least = LEAST_LEVELS if along is None else 2
    found = [_of_one_name(name, specs, along, least) for name, specs in _by_name(problems) if len(specs) >= least]
    return [series for one_name in found for series in one_name]


def varying(problems: Iterable[str]) -> list[str]:
    """The numeric options with two values or more among a run's problems that agree in the others."""
    options = [_candidates({problem: _options(problem) for problem in specs}) for _, specs in _by_name(problems)]
    return [option for option in sorted({key for keys in options for key in keys}) if find_series(problems, option)]


def within(cells: DataFrame, series: Series) -> DataFrame:
    """The cells of a series, with their value of its option as `level`."""
    levels = np.array([series.levels.get(problem, np.nan) for problem in cells["problem"]], float)
    return cells.assign(level=levels).dropna(subset="level")


def _by_name(problems: Iterable[str]) -> list[tuple[str, list[str]]]:
    names: dict[str, list[str]] = {}
    for problem in dict.fromkeys(problems):
        names.setdefault(problem.partition(":")[0], []).append(problem)
    return list(names.items())


def _candidates(options: dict[str, dict[str, object]]) -> list[str]:
    return sorted({key for found in options.values() for key, value in found.items() if _is_number(value)})


def _of_one_name(name: str, problems: list[str], along: str | None, least: int) -> list[Series]:
    options = {problem: _options(problem) for problem in problems}
    grouped = [_along(name, key, options, least) for key in _candidates(options) if along in (None, key)]
    return max(grouped, key=lambda series: max((len(one.levels) for one in series), default=0), default=[])


def _along(name: str, key: str, options: dict[str, dict[str, object]], least: int) -> list[Series]:
    groups: dict[str, dict[str, float]] = {}
    for problem, found in options.items():
        if _is_number(found.get(key)):
            others = repr(sorted((other, value) for other, value in found.items() if other != key))
            groups.setdefault(others, {})[problem] = float(found[key])  # pyright: ignore
    return [
        Series(_without(next(iter(levels)), key), key, dict(sorted(levels.items(), key=lambda item: item[1])))
        for levels in groups.values()
        if len(set(levels.values())) >= least
    ]


def _options(problem: str) -> dict[str, object]:
    """All options with their values, including the defaults where the problem is known here."""
    try:
        made = make_problem(problem)
        return {key: getattr(made, key) for key in specs.options(type(made))}
    except ValueError:
        pass
    try:
        return {key: _number(text) for key, text in specs.split(problem)[1].items()}
    except ValueError:
        return {}


def _number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _without(problem: str, key: str) -> str:
    name, options = specs.split(problem)
    left = [
        f"{other}=({text})" if ":" in text else f"{other}={text}" for other, text in options.items() if other != key
    ]
    return f"{name}:{','.join(left)}" if left else name
