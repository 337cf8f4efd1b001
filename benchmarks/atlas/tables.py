"""The atlas as tables: what does not depend on the machine, and what does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.ranking.order import By, Ranked
from experiments.ranking.stored import Placed, rankings
from experiments.statistics import Interval
from experiments.store import Run

__all__ = ["FIGURES", "POINT", "STATISTICS", "STILL", "ranking", "read", "statistics", "times", "write"]

POINT = ["problem", "estimator", "num_samples"]
FIGURES = ["total_variance", "squared_bias", "mse", "scale", "mean_cosine"]
"""Figures with an interval of 95 %."""
STATISTICS = [
    *POINT,
    *("target", "claim", "verdict", "replicates", "evaluations", "gradient_norm", "detectable_bias", "p_value"),
    *(name for figure in FIGURES for name in Interval.columns(figure)),
]
SECONDS = ("seconds_per_gradient", "seconds_per_gradient_batched")
TIMES = [*POINT, *(column for name in SECONDS for column in Interval.columns(name)), "machine"]
DIGITS = "%.4g"
STILL = 1e-8
"""The total variance, relative to the squared gradient, below which float32 has made all the noise that there is."""
BYS: tuple[By, ...] = ("evaluations", "seconds")


def statistics(run: Run) -> pd.DataFrame:
    """A row for each cell that was measured: the columns that do not depend on the machine."""
    return _sorted(run.measured, STATISTICS)


def times(run: Run) -> pd.DataFrame:
    """Seconds of one gradient, alone and in a batch, medians and quartiles, and the machine that they hold for."""
    timed = run.measured.query("seconds_per_gradient.notna()")
    return _sorted(timed.assign(machine=timed["device_name"]), TIMES)


def _sorted(cells: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return cells.sort_values(POINT, ignore_index=True).loc[:, columns]


def ranking(run: Run) -> pd.DataFrame:
    """The estimators of each problem, each at its best number of samples: error × evaluations, and error × seconds.

    `ratio` is that to the best with any noise, where `aside` names no reason to have no place, and 0 of one without; a
    `low` of at most 1 is a tie.
    """
    return pd.DataFrame([row for by in BYS for found in rankings(run, by) for row in _placed(found.placed, by)])


def _placed(placed: list[Placed], by: By) -> Iterator[dict[str, Any]]:
    noisy = (one.ranked for one in placed if one.ranked.usable and not _still(one))
    best = next(noisy, None)
    for one in placed:
        ratio = Interval(0.0, 0.0, 0.0) if _still(one) and one.ranked.comparable else _ratio(one.ranked, best)
        yield {name: one.row[name] for name in POINT} | {
            "by": by,
            "ratio": ratio.value,
            "low": ratio.low,
            "high": ratio.high,
            "aside": one.ranked.aside,
        }


def _still(one: Placed) -> bool:
    """Whether its error is that of rounding."""
    norm = one.row["gradient_norm"]
    return one.row["total_variance"] <= (STILL * norm**2 if norm else 0.0) and one.row["verdict"] != "biased"


def _ratio(one: Ranked, best: Ranked | None) -> Interval:
    if best is None or not one.comparable:
        return Interval(*[float("nan")] * 3)
    return one.over(best)


def write(run: Run, folder: Path) -> None:
    """One file of statistics a problem, one of times, one of rankings."""
    (folder / "statistics").mkdir(parents=True, exist_ok=True)
    for old in (folder / "statistics").glob("*.csv"):
        old.unlink()
    found = statistics(run)
    for name, rows in found.groupby(found["problem"].str.partition(":")[0]):
        _csv(rows, folder / "statistics" / f"{name}.csv")
    _csv(times(run), folder / "times.csv")
    _csv(ranking(run), folder / "ranking.csv")


def read(folder: Path) -> pd.DataFrame:
    """The statistics in a folder; empty where there are none."""
    found = [pd.read_csv(file, dtype={"p_value": float}) for file in sorted((folder / "statistics").glob("*.csv"))]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=STATISTICS)


def _csv(frame: pd.DataFrame, file: Path) -> None:
    frame.to_csv(file, index=False, float_format=DIGITS, lineterminator="\n")
