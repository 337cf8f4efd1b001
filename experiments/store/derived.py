"""Columns of `cells` that follow from others and are not in the file."""

from pandas import DataFrame, isna

from experiments.evaluations import per_evaluation

__all__ = ["derived"]


def derived(cells: DataFrame) -> DataFrame:
    """The cells with their work-normalized variance per evaluation, and `training`, the settings of a training cell."""
    settings = zip(cells["optimizer"], cells["learning_rate"], cells["batch"], strict=True)
    return per_evaluation(cells).assign(training=[_text(*row) for row in settings])


def _text(optimizer: str | None, learning_rate: float, batch: int) -> str:
    if optimizer is None or isna(optimizer):
        return ""
    return f"{optimizer} {learning_rate:g}" + (f", batch {batch}" if batch else "")
