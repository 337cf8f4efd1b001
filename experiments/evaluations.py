"""Evaluations of the cost as the unit of work: the comparison of estimators that no machine takes part in."""

from pandas import DataFrame

__all__ = ["differ_from_samples", "per_evaluation"]

ENDS = ("", "_low", "_high")


def per_evaluation(cells: DataFrame) -> DataFrame:
    """The cells with `evaluation_normalized_variance`, total variance × evaluations, and its interval.

    Its ratio for two estimators is that of their variances at equal evaluations, spent by averaging (Glynn & Whitt
    1992, with evaluations for time). `exact`, which has neither variance nor evaluations, gets 0.
    """
    work = cells["evaluations"].astype("float64")
    return cells.assign(
        **{f"evaluation_normalized_variance{end}": cells[f"total_variance{end}"] * work for end in ENDS}
    )


def differ_from_samples(cells: DataFrame) -> bool:
    """Whether an estimator other than `exact` evaluates the cost at more or fewer points than it draws samples."""
    counted = (cells["estimator"] != "exact") & cells["evaluations"].notna()
    return bool((counted & (cells["evaluations"] != cells["num_samples"])).fillna(False).any())
