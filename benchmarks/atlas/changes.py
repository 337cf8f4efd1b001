"""What differs between two atlases, and whether by chance."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.atlas.tables import POINT
from experiments.store.columns import Row, records

__all__ = ["Changes", "changes"]

LEVEL = 1e-3
"""The chance that anything is called changed where nothing is."""
QUANTITIES = ["total_variance", "mse"]
EXACT = ["target", "claim", "evaluations"]
"""Columns without an error."""
HALF = 1.96
"""Standard errors in half of an interval."""
ROUNDED = 1e-3
"""Relative: what the digits of the tables leave of an error that is zero."""


@dataclass(frozen=True)
class Changes:
    """Two atlases, row by row."""

    compared: int
    """Figures in both."""
    excluded: float
    """The share of them whose 95 % intervals of the ratio leave out 1: by chance 0.05."""
    changed: list[str]
    """Sentences: what changed beyond chance, corrected for the number of figures, and what has no error at all."""
    new: list[str]
    gone: list[str]


def changes(before: pd.DataFrame, after: pd.DataFrame) -> Changes:
    """Each figure of `after` against the one before."""
    both = before.merge(after, on=POINT, suffixes=("", "_after"))
    shifts = np.concatenate([_shifts(both, name) for name in QUANTITIES]) if len(both) else np.empty(0)
    known = np.isfinite(shifts)
    limit = float(stats.norm.isf(LEVEL / 2 / max(int(known.sum()), 1)))
    texts = [*_beyond(both, limit), *_other(both)]
    return Changes(
        int(known.sum()),
        float((np.abs(shifts[known]) > HALF).mean()) if known.any() else math.nan,
        texts,
        *(_only(one, other) for one, other in ((after, before), (before, after))),
    )


def _shifts(both: pd.DataFrame, name: str) -> np.ndarray:
    """The logarithm of each ratio in its standard errors; NaN where one of the two is not known, or zero."""
    with np.errstate(all="ignore"):
        shift = np.log(_values(both, f"{name}_after") / _values(both, name))
        error = np.hypot(_error(both, name, ""), _error(both, name, "_after"))
        return shift / np.hypot(error, ROUNDED)


def _error(both: pd.DataFrame, name: str, suffix: str) -> np.ndarray:
    return np.log(_values(both, f"{name}_high{suffix}") / _values(both, f"{name}_low{suffix}")) / (2 * HALF)


def _values(frame: pd.DataFrame, column: str) -> np.ndarray:
    return frame[column].to_numpy(float)


def _beyond(both: pd.DataFrame, limit: float) -> Iterator[str]:
    for name in QUANTITIES:
        shifts = _shifts(both, name)
        for row, shift in zip(records(both), shifts, strict=True):
            if abs(shift) > limit:
                told = f"{name} {row[name]:.4g} before, {row[f'{name}_after']:.4g} after"
                yield f"{_point(row)}: {told}, {abs(shift):.1f} standard errors"


def _other(both: pd.DataFrame) -> Iterator[str]:
    """What has no error; and verdicts that contradict each other, since "undetermined" contradicts nothing."""
    for row in records(both):
        for name in EXACT:
            if row[name] != row[f"{name}_after"]:
                yield f"{_point(row)}: {name} {row[name]} before, {row[f'{name}_after']} after"
        if {row["verdict"], row["verdict_after"]} == {"biased", "unbiased"}:
            yield f"{_point(row)}: {row['verdict']} before, {row['verdict_after']} after"


def _only(one: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    known = {_point(row) for row in records(other)}
    return [name for name in map(_point, records(one)) if name not in known]


def _point(row: Row) -> str:
    return f"{row['problem']} · {row['estimator']} · S = {row['num_samples']}"
