"""Evaluations of the cost as the unit of work: a comparison of estimators that does not depend on a machine."""

from pandas import DataFrame

__all__ = ["differ_from_samples"]


def differ_from_samples(cells: DataFrame) -> bool:
    """Whether an estimator other than `exact` evaluates the cost at more or fewer points than it draws samples."""
    counted = (cells["estimator"] != "exact") & cells["evaluations"].notna()
    return bool((counted & (cells["evaluations"] != cells["num_samples"])).fillna(False).any())
