"""The tables of the atlas: what is kept of a run, and what changed beyond chance."""

import dataclasses
import math
from pathlib import Path

import pandas as pd
import pytest
from processes import here, write_sweep

from benchmarks.atlas.changes import changes
from benchmarks.atlas.tables import STATISTICS, ranking, read, statistics, times, write
from estimators.registry import every
from experiments.statistics import Interval
from experiments.store import Run
from experiments.sweep import read_sweep


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Twelve cells with two seeds."""
    found = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp("atlas")
        sweep = write_sweep(folder, range(2, 4))
        sweep.write_text(f"seed = {seed}\n{sweep.read_text()}")
        found.append(here(sweep, folder / "results"))
    return found[0], found[1]


def test_tables_are_read_as_they_were_written(both: tuple[Run, Run], tmp_path: Path) -> None:
    write(both[0], tmp_path)
    kept = statistics(both[0])
    assert list(kept.columns) == STATISTICS and len(kept) == 12
    pd.testing.assert_frame_equal(read(tmp_path), kept, check_dtype=False, rtol=1e-3)
    assert (tmp_path / "statistics" / "gaussian-quadratic.csv").read_text().count("\n") == 7
    assert len(pd.read_csv(tmp_path / "times.csv")) == len(times(both[0])) == 12


def test_the_ranking_has_each_estimator_at_its_best_in_both_units(both: tuple[Run, Run]) -> None:
    found = ranking(both[0])
    assert set(found["by"]) == {"evaluations", "seconds"}
    assert len(found.query("ratio == 1")) >= 4 and len(found.query("0 < ratio < 1")) == 0
    assert len(found) == len(found.drop_duplicates(["by", "problem", "estimator"])) == len(found.query("low <= ratio"))


def test_what_has_no_noise_is_set_apart_so_that_others_are_compared(both: tuple[Run, Run]) -> None:
    cells = both[0].cells.copy()
    first = cells["estimator"].eq("pathwise") & cells["problem"].str.startswith("gaussian-quadratic")
    cells.loc[first, list(Interval.columns("total_variance"))] = 0.0
    cells.loc[first, list(Interval.columns("mse"))] = 0.0
    found = ranking(dataclasses.replace(both[0], cells=cells))
    found = found.query("by == 'evaluations' and problem.str.startswith('gaussian-quadratic')")
    ratios = dict(zip(found["estimator"].tolist(), found["ratio"].tolist(), strict=True))
    assert ratios.pop("pathwise") == 0 and min(ratios.values()) == 1 and max(ratios.values()) < 1000


def test_another_seed_changes_nothing_beyond_chance(both: tuple[Run, Run]) -> None:
    found = changes(*map(statistics, both))
    assert found.changed == found.new == found.gone == [] and found.compared >= 24
    assert found.excluded < 0.3


@pytest.mark.parametrize(
    ("column", "edit", "told"),
    [
        ("total_variance", lambda value: value * 1.3, "total_variance"),
        ("evaluations", lambda value: value + 1, "evaluations"),
        ("verdict", lambda value: "biased", "unbiased before, biased after"),
        ("gradient_norm", lambda value: value * 1.2, "gradient_norm"),
        ("squared_bias", lambda value: value + 0.1, "squared_bias"),
        ("mse", lambda value: math.nan, "missing after"),
        ("total_variance", lambda value: 0.0, "total_variance"),
    ],
)
def test_what_changed_is_told(both: tuple[Run, Run], column: str, edit, told: str) -> None:
    before, after = map(statistics, both)
    before["verdict"] = "unbiased"
    after["verdict"] = "unbiased"
    for name in [column, *(name for name in after if name.startswith(f"{column}_"))]:
        after.loc[3, name] = edit(after.loc[3, name])
    (line,) = changes(before, after).changed
    assert told in line and after.loc[3, "estimator"] in line


def test_what_is_new_or_gone_is_named(both: tuple[Run, Run]) -> None:
    table = statistics(both[0])
    found = changes(table.drop(index=0), table.drop(index=1))
    assert [len(found.new), len(found.gone)] == [1, 1] and table.loc[0, "problem"] in found.new[0]


def test_the_sweep_has_all_that_is_registered() -> None:
    sweep = read_sweep("atlas")
    assert sweep.estimator[0] == "*" and len(sweep.num_samples) == 3
    names = {entry["name"] if isinstance(entry, dict) else entry for entry in sweep.problem}
    assert names == {"*"} or names == set(every("problem"))
