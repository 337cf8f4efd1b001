"""When training gets somewhere: the steps and seconds to a level of the objective."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from estimators.interface.specs import check_known
from experiments.statistics import Interval

__all__ = ["COLUMNS", "milestones", "seed_curves"]

COLUMNS = ["key", "quantity", "target", "seeds", "reached"]
COLUMNS += [*Interval.columns("steps_to_target"), *Interval.columns("seconds_to_target")]
NOT_A_GOAL = {"gradient_variance", "diverged"}


def milestones(
    cells: pd.DataFrame, traces: pd.DataFrame, quantity: str = "objective", target: float | None = None
) -> pd.DataFrame:
    """A row for each training cell: the first recorded step at which a quantity is at the target, over the seeds.

    Columns: `COLUMNS`; steps and seconds are the median over the seeds with the range, infinite for seeds that did not
    get there; seconds are steps times those of one step, timed by itself. Without a target, that of
    a problem is the last median of the cell that ends worst, so that every cell gets there; NaN where all cells have
    lost seeds. A lower objective is better; another quantity is better the further it goes where most cells move it.

    Raises:
        ValueError: the traces have no such quantity.
    """
    rows = []
    if not traces.empty:
        check_known("quantity", quantity, sorted(set(traces["quantity"]) - NOT_A_GOAL))
    for _, own in cells.query("status == 'done'").groupby("problem", sort=False):
        curves = {cell["key"]: seed_curves(traces, cell["key"], quantity) for cell in own.to_dict("records")}
        rows += _problem(own, {key: curve for key, curve in curves.items() if len(curve)}, quantity, target)
    return pd.DataFrame(rows, columns=COLUMNS)


def seed_curves(traces: pd.DataFrame, key: str, quantity: str) -> pd.DataFrame:
    """One row per recorded step, one column per seed; NaN after a seed has diverged."""
    own = traces[(traces["key"] == key) & (traces["quantity"] == quantity)]
    return own.pivot(index="step", columns="replicate", values="value")


def _problem(
    cells: pd.DataFrame, curves: dict[str, pd.DataFrame], quantity: str, target: float | None
) -> Iterator[dict[str, Any]]:
    if not curves:
        return
    gain = sum(np.sign(_median(curve).iloc[-1] - _median(curve).iloc[0]) for curve in curves.values())
    sign = 1.0 if gain > 0 and quantity != "objective" else -1.0  # upwards or downwards is better; costs are minimised
    ends = [sign * _median(curves[key]).iloc[-1] for key in cells.query("diverged == 0")["key"] if key in curves]
    level = sign * target if target is not None else min(ends, default=np.nan)
    for cell in cells.to_dict("records"):
        if cell["key"] in curves:
            yield _row(cell, curves[cell["key"]], quantity, sign, level)


def _median(curve: pd.DataFrame) -> pd.Series:
    """The median over the seeds that go on."""
    return curve.median(axis=1)


def _row(cell: dict[str, Any], curve: pd.DataFrame, quantity: str, sign: float, level: float) -> dict[str, Any]:
    there = (sign * curve >= level).to_numpy()
    steps = np.where(there.any(axis=0), curve.index.to_numpy()[there.argmax(axis=0)], np.inf)
    row = {"key": cell["key"], "quantity": quantity, "target": sign * level}
    row |= {"seeds": len(steps), "reached": int(np.isfinite(steps).sum())}
    range_of_steps = Interval(np.median(steps), steps.min(), steps.max())
    range_of_seconds = Interval(*(value * cell["seconds_per_gradient"] for value in range_of_steps))
    row |= Interval.entries("steps_to_target", range_of_steps)
    return row | Interval.entries("seconds_to_target", range_of_seconds)
