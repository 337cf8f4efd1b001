"""Columns of `cells` that follow from others and are not in the file."""

from typing import Any

from pandas import DataFrame, Series, isna

from experiments.statistics import Interval

__all__ = ["derived"]


def derived(cells: DataFrame) -> DataFrame:
    """The cells with their variance per evaluation, and `training`: a training cell's settings in words, else ''."""
    settings = zip(cells["optimizer"], cells["learning_rate"], cells["batch"], strict=True)
    texts = [_text(*row) for row in settings]
    return _per_evaluation(cells).assign(training=Series(texts, cells.index, dtype=object))


def _text(optimizer: Any, learning_rate: float, batch: Any) -> str:
    if isna(optimizer):
        return ""
    return f"{optimizer} {learning_rate:g}" + ("" if isna(batch) or batch == 0 else f", batch {batch}")


def _per_evaluation(cells: DataFrame) -> DataFrame:
    """The cells with `evaluation_normalized_variance`, total variance × evaluations, and its interval.

    Its ratio for two estimators is that of their variances at equal evaluations, spent by averaging (Glynn & Whitt
    1992, with evaluations for time). `exact`, which has neither variance nor evaluations, gets 0.
    """
    work = cells["evaluations"].astype("float64")
    names = zip(Interval.columns("evaluation_normalized_variance"), Interval.columns("total_variance"), strict=True)
    return cells.assign(**{name: cells[variance] * work for name, variance in names})
