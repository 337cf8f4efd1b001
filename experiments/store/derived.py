"""Columns of `cells` that follow from others and are not in the file."""

from typing import Any

import numpy as np
from pandas import DataFrame, Series, concat, isna

from experiments.statistics import Interval

__all__ = ["derived"]


def derived(cells: DataFrame) -> DataFrame:
    """The cells with their variance per evaluation, their bias relative to the gradient, and in words, or '':

    the settings of a training cell as `training`, the mini-batch of another as `mini_batch`, second derivatives as
    `derivatives`, and `measured_on`, the problem with those two.
    """
    settings = zip(cells["optimizer"], cells["learning_rate"], cells["batch"], strict=True)
    texts = Series([_text(*row) for row in settings], cells.index, dtype=object)
    sizes = zip(cells["optimizer"], cells["batch"], strict=True)
    batches = Series([_mini_batch(*row) for row in sizes], cells.index, dtype=object)
    derivatives = Series(["second" if order == 2 else "" for order in cells["order"]], cells.index, dtype=object)
    named = [
        problem + (f", mini-batch {size}" if size else "") + (f", {order} derivatives" if order else "")
        for problem, size, order in zip(cells["problem"], batches, derivatives, strict=True)
    ]
    measured_on = Series(named, cells.index, dtype=object)
    found = {"training": texts, "mini_batch": batches, "derivatives": derivatives, "measured_on": measured_on}
    found |= _per_evaluation(cells) | _relative(cells)
    kept = cells.drop(columns=[name for name in found if name in cells])
    return concat([kept, DataFrame(found)], axis=1).copy()  # pandas warns of very many blocks


def _mini_batch(optimizer: Any, batch: Any) -> str:
    return str(batch) if isna(optimizer) and not isna(batch) and batch else ""


def _text(optimizer: Any, learning_rate: float, batch: Any) -> str:
    if isna(optimizer):
        return ""
    return f"{optimizer} {learning_rate:g}" + ("" if isna(batch) or batch == 0 else f", batch {batch}")


def _per_evaluation(cells: DataFrame) -> dict[str, Any]:
    """`evaluation_normalized_variance`, total variance × evaluations, and its interval.

    Its ratio for two estimators is that of their variances at equal evaluations, spent by averaging (Glynn & Whitt
    1992, with evaluations for time). `exact`, which has neither variance nor evaluations, gets 0.
    """
    work = cells["evaluations"].astype("float64")
    names = zip(Interval.columns("evaluation_normalized_variance"), Interval.columns("total_variance"), strict=True)
    return {name: cells[variance] * work for name, variance in names}


def _relative(cells: DataFrame) -> dict[str, Any]:
    """`relative_bias`, as `statistics.relative_bias` has it."""
    norm = cells["gradient_norm"].astype("float64").where(lambda value: value > 0)
    value, low, high = (cells[name].astype("float64") for name in Interval.columns("squared_bias"))
    ends = zip(Interval.columns("relative_bias"), (value, low, high - value.clip(upper=0)), strict=True)
    return {name: np.sqrt(end.clip(lower=0)) / norm for name, end in ends}
