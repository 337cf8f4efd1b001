"""Columns of `cells` that follow from others and are not in the file."""

from typing import Any

from pandas import DataFrame, Series, isna

from experiments.evaluations import per_evaluation

__all__ = ["derived"]


def derived(cells: DataFrame) -> DataFrame:
    """The cells with their variance per evaluation, and `training`, a training cell's settings in words, else ''."""
    settings = zip(cells["optimizer"], cells["learning_rate"], cells["batch"], strict=True)
    texts = [_text(*row) for row in settings]
    return per_evaluation(cells).assign(training=Series(texts, cells.index, dtype=object))


def _text(optimizer: Any, learning_rate: float, batch: Any) -> str:
    if isna(optimizer):
        return ""
    return f"{optimizer} {learning_rate:g}" + ("" if isna(batch) or batch == 0 else f", batch {batch}")
