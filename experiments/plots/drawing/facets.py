"""What stands along the x axis, and what makes the panels, where a user asks for something else than the default."""

from __future__ import annotations

from collections.abc import Collection

from pandas import DataFrame

from estimators.interface.specs import check_known
from experiments.analysis.series import find_series, varying

__all__ = ["faceted", "kind_against"]

AGAINST = {"num_samples": "variance", "evaluations": "variance-evaluations", "seconds": "variance-time"}
FACETS = ("problem", "estimator", "device", "dtype", "seed", "compile", "num_samples")
FACETED = ("variance", "bias", "snr", "variance-time", "variance-evaluations")
CHOICES = ("variance-time", "variance-evaluations")
"""Their Pareto front is one of estimators on a problem."""


def kind_against(x: str, cells: DataFrame, kinds: Collection[str]) -> str:
    """The kind of figure that shows the variance against num_samples, evaluations, seconds or an option.

    Raises ValueError where another kind is asked for, or no problems of the run differ in the option.
    """
    if set(kinds) - {"variance"}:
        raise ValueError(f"x is what the variance is drawn against, not {', '.join(kinds)}: leave the kind out")
    if x in AGAINST:
        return AGAINST[x]
    problems = list(cells["problem"]) if "problem" in cells else []
    if not find_series(problems, x):
        known = ", ".join([*AGAINST, *varying(problems)])
        raise ValueError(f"'{x}' does not take two values or more in the problems of this run; x may be {known}")
    return "option"


def faceted(cells: DataFrame, facet: str, kinds: Collection[str]) -> DataFrame:
    """The cells with `problem` as the name of a panel: of an estimator, with its problems as curves, or of a problem
    under one device, dtype, …

    Raises ValueError for an unknown facet, and for kinds whose panels are something else.
    """
    check_known("facet", facet, FACETS)
    known = [kind for kind in FACETED if facet != "estimator" or kind not in CHOICES]
    for kind in kinds:
        if facet != "problem" and kind not in known:
            raise ValueError(f"panels by {facet} are for the kinds {', '.join(known)}, not {kind}")
    if facet == "problem" or cells.empty:
        return cells
    if facet == "estimator":
        return cells.rename(columns={"problem": "estimator", "estimator": "problem"})
    return cells.assign(problem=cells["problem"] + f", {facet} = " + cells[facet].astype(str))
