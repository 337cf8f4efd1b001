"""From the cells of a run to curves: one for each estimator, device and dtype, grouped by panel."""

import re
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy import ndarray
from pandas import DataFrame

from experiments.plots.drawing.style import Look, looks
from experiments.statistics import Interval
from experiments.terminal.labels import labels

__all__ = ["Curve", "Selection", "by_numbers", "in_order", "select"]

CONDITIONS = ["order", "device", "device_name", "dtype", "compile", "seed"]
OTHERS = ["panel", "curve", "num_samples", "status", "verdict", "gradient_norm"]


class Curve(NamedTuple):
    """Cells of one panel under one condition, mostly those of an estimator, ordered along the x axis."""

    name: str
    condition: str  # what sets it apart from the other curves of the name; '' where nothing does
    look: Look
    cells: DataFrame
    label: str = ""  # the name in short, the same in all figures of a run

    def numbers(self, column: str) -> ndarray:
        return self.cells[column].to_numpy(float)

    def interval(self, quantity: str) -> ndarray:
        """Value, low and high: [3, N]."""
        return np.stack([self.numbers(column) for column in Interval.columns(quantity)])

    @property
    def biased(self) -> ndarray:
        return (self.cells["verdict"] == "biased").to_numpy(bool)


class Selection(NamedTuple):
    panels: dict[str, list[Curve]]
    left_out: str  # what could not be drawn, as a sentence; '' where everything could


def select(cells: DataFrame, quantities: Sequence[str], along: str = "num_samples") -> Selection:
    """The done cells in which all `quantities` (with the columns of their intervals) are finite.

    `panel` and `curve` name where a cell is drawn, and `along` is the column of the x axis.
    """
    numbers = [column for name in quantities for column in Interval.columns(name)]
    cells = cells.reindex(columns=list(dict.fromkeys([*OTHERS, *CONDITIONS, *numbers, along, *cells])))
    done = cells.query("status == 'done'").sort_values(along, kind="stable")
    done = done.astype(dict.fromkeys([*numbers, "gradient_norm"], float)).copy()  # pandas warns of very many blocks
    done = done.assign(condition=_conditions(done))
    look, short = looks(cells["curve"], done["condition"]), labels(cells["curve"])
    drawn = done.assign(finite=np.isfinite(done[list(quantities)]).all(axis=1)).query("finite")
    panels: dict[str, list[Curve]] = {}
    for key, rows in drawn.groupby(["panel", "curve", "condition"]):
        panel, name, condition = cast(tuple[str, str, str], key)
        panels.setdefault(panel, []).append(Curve(name, condition, look[name, condition], rows, short[name]))
    panels = {panel: panels[panel] for panel in sorted(panels, key=by_numbers)}
    if done.empty:
        return Selection(panels, "nothing to draw: no cell is done")
    names = " and ".join(name.replace("_", " ") for name in quantities)
    count = len(done) - len(drawn)
    what = "cells" if along == "num_samples" else "points"
    return Selection(panels, f"not drawn: {count} of {len(done)} {what}, without a finite {names}" if count else "")


def by_numbers(name: str) -> list[str | float]:
    """Names in the order of the numbers in them: dim=2 comes before dim=10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [float(part) if index % 2 else part for index, part in enumerate(parts)]


def in_order(selection: Selection, panels: Sequence[str]) -> Selection:
    """The panels in another order than the alphabetical one."""
    return selection._replace(panels={name: selection.panels[name] for name in panels if name in selection.panels})


def _conditions(cells: DataFrame) -> list[str]:
    """A text for each cell: the conditions that vary within the run."""
    count = {name: len(set(cells[name].dropna())) for name in CONDITIONS}
    varying = [name for name in CONDITIONS if count[name] > 1]
    if count["device_name"] <= count["device"]:  # then the name tells no more than the device does
        varying = [name for name in varying if name != "device_name"]
    compiled = ["compiled" if compile else "eager" for compile in cells["compile"]]
    orders = ["second derivatives" if order == 2 else "gradients" for order in cells["order"]]
    texts = cells.assign(order=orders, compile=compiled, seed="seed " + cells["seed"].astype(str))[varying]
    return [", ".join(row) for row in texts.astype(str).to_numpy().tolist()]
