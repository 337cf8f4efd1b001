"""What makes the panels of a figure, and the curves in them."""

from pandas import DataFrame

__all__ = ["FACETS", "paneled"]

FACETS = ("problem", "estimator", "device", "dtype", "seed", "compile", "num_samples")
"""Columns of the cells that can make panels."""


def paneled(cells: DataFrame, facet: str = "problem") -> DataFrame:
    """The cells with `panel`, the name of the panel that shows them, and `curve`, the name of their curve in it.

    Curves are estimators; in panels of estimators they are problems. Panels are problems with their mini-batch, or
    these under one device, dtype, …
    """
    if facet == "estimator":
        return cells.assign(panel=cells["estimator"], curve=cells["measured_on"])
    place = "" if facet == "problem" else f", {facet} = " + cells[facet].astype(str)
    return cells.assign(panel=cells["measured_on"] + place, curve=cells["estimator"])
