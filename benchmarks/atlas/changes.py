"""What differs between two atlases, and whether by chance."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from benchmarks.atlas.tables import FIGURES, POINT, STILL
from experiments.statistics import Interval
from experiments.statistics.multiple import rejected
from experiments.store.columns import Row, records
from experiments.verifying.comparing import Figure, certain, linear, positive, shown

__all__ = ["Changes", "changes"]

LEVEL = 1e-3
"""The chance that anything is called changed where nothing is."""
SUFFIXES = ("", "_after")
POSITIVE = ("total_variance", "mse")
EXACT = ("target", "claim", "evaluations")
"""Columns without an error."""
NORM = 0.1
"""Relative: what two reference gradients may differ by that were measured."""
OUTSIDE = 0.05
"""The p-value of figures that are outside of each other's 95 % intervals."""
ROUNDED = 1e-3
"""Relative: what the digits of the tables leave of an error that is zero."""


@dataclass(frozen=True)
class Changes:
    """Two atlases, row by row."""

    compared: int
    """Figures in both that are known to within an error."""
    excluded: float
    """The share of them whose difference or ratio is outside of its 95 % interval: by chance 0.05."""
    changed: list[str]
    """Sentences: what changed beyond chance, corrected for the number of figures, and what has no error at all."""
    new: list[str]
    gone: list[str]


def changes(before: pd.DataFrame, after: pd.DataFrame) -> Changes:
    """Each figure of `after` against the one before."""
    rows = records(before.merge(after, on=POINT, suffixes=("", "_after")))
    found = [(row, figure) for row in rows for figure in _figures(row)]
    beyond = rejected([figure.p_value for _, figure in found], LEVEL)
    texts = [
        f"{_point(row)}: {figure.name} {figure.kept} before, {figure.here} after, p = {figure.p_value:.1g}"
        for (row, figure), is_beyond in zip(found, beyond, strict=True)
        if is_beyond
    ]
    outside = sum(figure.p_value < OUTSIDE for _, figure in found)
    return Changes(
        len(found),
        outside / len(found) if found else math.nan,
        [*texts, *(text for row in rows for text in _other(row))],
        *(_only(one, other) for one, other in ((after, before), (before, after))),
    )


def _figures(row: Row) -> Iterator[Figure]:
    """Those of the tables; one that is in one of them alone has changed, and open intervals tell nothing."""
    floor = STILL * max(row[f"gradient_norm{suffix}"] or 0.0 for suffix in SUFFIXES) ** 2
    for name in FIGURES:
        then, now = (_interval(row, name, suffix) for suffix in SUFFIXES)
        if then is None or now is None:
            if then is not now:
                yield certain(name, *("missing" if one is None else shown(one) for one in (then, now)))
        elif all(map(math.isfinite, (*then, *now))):
            yield positive(name, then, now, floor) if name in POSITIVE else linear(name, then, now)


def _interval(row: Row, name: str, suffix: str) -> Interval | None:
    """As wide as the digits of the tables make it at the least."""
    value, low, high = (row[f"{column}{suffix}"] for column in Interval.columns(name))
    if value is None:
        return None
    slack = ROUNDED * abs(value)
    return Interval(value, (-math.inf if low is None else low) - slack, (math.inf if high is None else high) + slack)


def _other(row: Row) -> Iterator[str]:
    """What has no error; and verdicts that contradict each other, since "undetermined" contradicts nothing."""
    for name in EXACT:
        if row[name] != row[f"{name}_after"]:
            yield f"{_point(row)}: {name} {row[name]} before, {row[f'{name}_after']} after"
    then, now = (row[f"gradient_norm{suffix}"] for suffix in SUFFIXES)
    if (then is None) != (now is None) or (then is not None and abs(now - then) > NORM * max(then, now)):
        yield f"{_point(row)}: gradient_norm {then} before, {now} after"
    if {row["verdict"], row["verdict_after"]} == {"biased", "unbiased"}:
        yield f"{_point(row)}: {row['verdict']} before, {row['verdict_after']} after"


def _only(one: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    known = {_point(row) for row in records(other)}
    return [name for name in map(_point, records(one)) if name not in known]


def _point(row: Row) -> str:
    return f"{row['problem']} · {row['estimator']} · S = {row['num_samples']}"
