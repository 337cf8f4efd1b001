"""The engine: its rows against `measure`, what a failure costs, and what a dry run says of a run."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from estimators.registry import make_estimator, make_problem
from experiments.engine import coordinator, remaining, run
from experiments.measuring.loop import measure
from experiments.measuring.measurement import Measurement
from experiments.store import Store, StoreError, load
from experiments.sweep import Exclude, Sweep, sweep_from_flags

PLUGIN = '''
"""Pathwise gradients that raise: while they are timed, now and then, or always."""
from dataclasses import dataclass
from itertools import count
from typing import ClassVar

from estimators import Estimator, register_estimator
from estimators import sample


@register_estimator("broken")
@dataclass(frozen=True)
class Broken(Estimator):
    never: bool = False
    after: int = 0
    calls: ClassVar = count()

    def surrogate(self, problem, params, noise):
        if self.never or len(params["loc"]) == 1 and next(self.calls) >= self.after:
            raise RuntimeError("no luck")
        return problem.cost(sample(problem.distribution(params), noise), params).mean(0)
'''
PROBLEM = "gaussian-quadratic:dim=2"
ALL = frozenset({"done", "failed", "skipped"})


class Silent:
    def start(self, phase: str, total: int) -> None: ...

    def advance(self, what: str, steps: int = 1) -> None: ...

    def doing(self, what: str, left: float) -> None: ...

    def say(self, message: str) -> None: ...


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    yield str(file)


def sweep_of(*estimators: str, problems: tuple[str, ...] = (PROBLEM,), **flags) -> Sweep:
    return sweep_from_flags(
        estimators=estimators, problems=problems, **{"num_samples": "2", "max_replicates": 640, **flags}
    )


def untimed(sweep: Sweep) -> Sweep:
    return replace(sweep, timing=replace(sweep.timing, enabled=False))


# Numbers


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Measurement]:
    """A row of a sweep and the measurement of the same point. Biased, so that the MSE is not the variance."""
    folder, point = tmp_path_factory.mktemp("run"), ("finite-differences:step=2", "gaussian-exponential:dim=2")
    flags = {"num_samples": "3", "seed": 5, "rtol": 0.2, "max_replicates": 50_000, "dtype": "float64"}
    run(sweep_of(point[0], problems=(point[1],), **flags), folder, Silent())
    stop = {"rtol": 0.2, "max_replicates": 50_000, "max_seconds": None}
    found = measure(make_problem(point[1]), make_estimator(point[0]), 3, seed=5, dtype="float64", **stop)
    return load(folder).cells.iloc[0].to_dict(), found


def test_a_row_of_a_sweep_is_the_measurement_of_its_point(both: tuple[dict, Measurement]) -> None:
    row, found = both
    expected = {key: value for key, value in found.row().items() if key not in ("statistics_seconds", "fit_seconds")}
    np.testing.assert_equal({key: row[key] for key in expected}, expected)
    assert found.mse is not None and found.mse.value > 1.2 * found.total_variance.value


def test_the_timing_of_a_row_multiplies_its_own_variance_and_mse(both: tuple[dict, Measurement]) -> None:
    row, _ = both
    for product, factor in (("work_normalized_mse", "mse"), ("work_normalized_variance", "total_variance")):
        assert row[product] == pytest.approx(row[factor] * row["seconds_per_gradient"])
        assert row[f"{product}_low"] < row[product] < row[f"{product}_high"]


@pytest.mark.parametrize(
    ("flags", "stop_reason"),
    [
        ({"rtol": 0.9, "max_replicates": 400_000}, "precision"),
        ({"rtol": 0.001, "max_replicates": 20_032}, "max_replicates"),
    ],
)
def test_cells_stop_by_their_own_rules(tmp_path: Path, flags: dict, stop_reason: str) -> None:
    run(untimed(sweep_of("pathwise", **flags)), tmp_path, Silent())
    row = load(tmp_path).cells.iloc[0]
    assert row["stop_reason"] == stop_reason
    assert (row["replicates"] > 20_032) == (stop_reason == "precision"), "at least a chunk, where a budget allows it"


# Failures


# The warm-up is three calls, the timing one a round or more, of which there are seven.
@pytest.mark.parametrize("options", ["", ":after=8"], ids=["at once", "after the warm-up"])
def test_an_estimator_that_raises_while_timed_costs_its_own_timing(tmp_path: Path, plugin: str, options: str) -> None:
    sweep = sweep_of("pathwise", f"broken{options}", "exact", plugins=[plugin])
    outcome = run(sweep, tmp_path, Silent())
    assert (outcome.done, outcome.failed, outcome.computed) == (2, 1, 3)
    cells = load(tmp_path).cells
    assert cells["status"].tolist() == ["done"] * 3
    assert cells["timing_status"].tolist() == ["done", "failed", "done"]
    before, error, after = cells["error"]
    assert before is after is None and error.startswith("RuntimeError: no luck (")
    assert cells["seconds_per_gradient"].notna().tolist() == [True, False, True]
    assert run(sweep, tmp_path, Silent()).computed == 0
    retry = frozenset({"failed"})
    assert len(remaining(sweep, tmp_path, retry)) == run(sweep, tmp_path, Silent(), retry=retry).computed == 1


def test_a_device_that_is_not_there_writes_nothing(tmp_path: Path) -> None:
    sweep = sweep_of("pathwise", device="cpu,cuda:99")
    with pytest.raises(ValueError, match="'cuda:99' is not available here"):
        run(sweep, tmp_path / "new", Silent())
    assert not (tmp_path / "new").exists()


def test_a_device_whose_cells_are_excluded_is_not_needed(tmp_path: Path) -> None:
    sweep = replace(sweep_of("exact", device="cpu,cuda:99"), exclude=(Exclude(device=("cuda:99",)),))
    assert run(untimed(sweep), tmp_path, Silent()).done == 1


# What a dry run says


def test_a_dry_run_counts_what_a_run_computes(tmp_path: Path, plugin: str) -> None:
    failing = sweep_of("broken:never=true", "exact", plugins=[plugin])
    other = sweep_of("pathwise", "exact", plugins=[plugin])
    steps = [
        (untimed(failing), frozenset(), 2),
        (failing, frozenset(), 1),  # the timing of one
        (failing, frozenset(), 0),
        (failing, frozenset({"failed"}), 1),
        (other, frozenset(), 1),
        (failing, frozenset(), 0),  # cells that the latest run did not plan are known
        (failing, ALL, 2),
    ]
    for sweep, retry, expected in steps:
        assert len(remaining(sweep, tmp_path, retry)) == expected
        assert run(sweep, tmp_path, Silent(), retry=retry).computed == expected


def test_a_dry_run_refuses_what_a_run_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "results.sqlite").write_text("key,estimator\n" * 100)
    (tmp_path / "taken" / "results.sqlite").mkdir(parents=True)
    sweep = sweep_of("exact")
    for folder, said in (
        (tmp_path / "file" / "run", "cannot"),
        (tmp_path / "bad", "move it away"),
        (tmp_path / "taken", "cannot"),
    ):
        with pytest.raises(StoreError, match=said):
            remaining(sweep, folder)
        with pytest.raises(StoreError, match=said):
            run(sweep, folder, Silent())
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "results.sqlite").touch()
    assert len(remaining(sweep, tmp_path / "begun")) == 1


# Scale


def test_the_store_is_not_read_again_for_each_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[object] = []
    for name, owner in (("load", coordinator), ("states", Store)):
        whole = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, whole=whole: reads.append(args) or whole(*args))
    run(sweep_of("exact", num_samples="1,2,3,4,5,6"), tmp_path, Silent())
    assert len(reads) == 3


@pytest.mark.parametrize(
    ("problem", "num_samples", "said"),
    [
        (PROBLEM, "999999999", "999,999,999 samples of gaussian-quadratic:dim=2 are 1,999,999,998 numbers, more than"),
        ("gaussian-quadratic:dim=5000000", "1", "has 10,000,000 parameters, more than 4,194,304: choose a smaller one"),
    ],
)
def test_a_cell_that_no_memory_holds_fails_at_once(tmp_path: Path, problem: str, num_samples: str, said: str) -> None:
    run(sweep_of("pathwise", problems=(problem,), num_samples=num_samples), tmp_path, Silent())
    row = load(tmp_path).cells.iloc[0]
    assert row["status"] == "failed" and said in row["error"] and row["error"].isprintable()
