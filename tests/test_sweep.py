"""Sweep files: what they mean, and that a wrong one is refused with one helpful line."""

import dataclasses
import itertools
import pickle
from pathlib import Path

import pytest
from sweeps import MINIMAL, PLUGIN, sweep_of

from experiments.sweep import Cell, Stop, Train, cells_of, grid, sweep_from_flags


def points(cells: list[Cell]) -> list[tuple]:
    return [(c.problem, c.num_samples, c.device, c.dtype, c.estimator) for c in cells]


FULL = """
num_samples = [3, 1, 3]
device = ["cpu", "cuda:1"]
dtype = "float64"
seed = 5
compile = true
estimator = ["plain", {name = "two-knobs", scale = [1, 2], side = ["left", "right"]}, "two-knobs:side=left,scale=2.0"]
problem = [{name = "bowl", dim = [2, 7]}]
"""


def test_cells_are_the_union_in_a_fixed_order_without_duplicates(folder):
    cells = cells_of(sweep_of(folder, FULL))
    estimators = ["plain", "two-knobs", "two-knobs:side=right", "two-knobs:scale=2", "two-knobs:scale=2,side=right"]
    expected = itertools.product(["bowl", "bowl:dim=7"], [3, 1], ["cpu", "cuda:1"], ["float64"], estimators)
    assert points(cells) == list(expected)
    assert {(cell.seed, cell.compile, cell.stop) for cell in cells} == {(5, True, Stop())}
    assert len({cell.key for cell in cells}) == len(cells)
    assert [cell.key for cell in cells] == [cell.key for cell in cells_of(sweep_of(folder, FULL))]


def test_a_nested_table_is_a_grid_too(folder):
    base = '{name = "two-knobs", scale = [2, 3]}'
    text = f'problem = "bowl"\nestimator = {{name = "wrapper", base = [{base}, "plain"]}}'
    expected = ["wrapper:base=(two-knobs:scale=2)", "wrapper:base=(two-knobs:scale=3)", "wrapper"]
    assert [cell.estimator for cell in cells_of(sweep_of(folder, text))] == expected


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ('estimator = "two-knobs"', lambda c: c.estimator.startswith("two-knobs")),
        ('estimator = "two-knobs:scale=2"', lambda c: c.estimator == "two-knobs:scale=2"),
        ('estimator = "two-knobs:side=right,scale=2.0"', lambda c: c.estimator == "two-knobs:scale=2,side=right"),
        ('estimator = "two-knobs:scale=1"', lambda c: c.estimator == "two-knobs"),  # its defaults, spelt out
        ('problem = "bowl:dim=7"', lambda c: c.problem == "bowl:dim=7"),
        ("num_samples = 3", lambda c: c.num_samples == 3),
        ('device = ["cuda:1", "cuda"]', lambda c: c.device == "cuda:1"),
        ('dtype = "float32"', lambda c: False),
        (
            'estimator = ["plain", "two-knobs:scale=2"]\nproblem = "bowl:dim=7"\nnum_samples = [1, 2]',
            lambda c: (
                (c.estimator, c.problem, c.num_samples)
                in [("plain", "bowl:dim=7", 1), ("two-knobs:scale=2", "bowl:dim=7", 1)]
            ),
        ),
    ],
)
def test_exclude_takes_away_what_matches_every_key(folder, rule, matches):
    cells = cells_of(sweep_of(folder, FULL))
    left = cells_of(sweep_of(folder, f"{FULL}\n[[exclude]]\n{rule}"))
    assert left == [cell for cell in cells if not matches(cell)]


def test_each_exclude_table_counts(folder):
    rules = '[[exclude]]\nestimator = "plain"\n[[exclude]]\nproblem = "bowl:dim=7"\n[[exclude]]\nproblem = "bowl"'
    assert cells_of(sweep_of(folder, f"{FULL}\n{rules}")) == []


def test_the_key_covers_everything_that_defines_the_numbers():
    cell = Cell("plain", "bowl", 10)
    changes = {
        "estimator": "two-knobs", "problem": "bowl:dim=7", "num_samples": 11, "batch": 3, "order": 2, "device": "cuda",
        "dtype": "float64",
        "seed": 1, "compile": True, "stop": Stop(rtol=0.1), "reference": False, "rounding": True, "code": "1.0",
        "train": Train(),
    }  # fmt: skip
    assert set(changes) == {field.name for field in dataclasses.fields(Cell)}
    keys = {dataclasses.replace(cell, **{name: value}).key for name, value in changes.items()}
    assert len(keys | {cell.key}) == len(changes) + 1
    stops = [Stop(replicates=5), Stop(rtol=0.2), Stop(max_replicates=7), Stop(max_seconds=3.0), Stop(detect=True)]
    stops.append(Stop(max_elements=9))
    assert len({dataclasses.replace(cell, stop=stop).key for stop in [*stops, Stop()]}) == len(stops) + 1
    trains = [Train(optimizer="sgd"), Train(learning_rate=1.0), Train(batch=2), Train(steps=3), Train(record=4)]
    trains += [Train(seeds=6), Train()]
    assert len({dataclasses.replace(cell, train=train).key for train in trains}) == len(trains)
    assert pickle.loads(pickle.dumps(cell)).key == cell.key


def test_training_settings_are_axes_of_the_grid(folder):
    text = f"experiment = 'train'\n{MINIMAL}[train]\noptimizer = ['adam', 'sgd']\nlearning_rate = [1, 0.5]\nseeds = 3"
    cells = cells_of(sweep_of(folder, text))
    measured = len(cells_of(sweep_of(folder, MINIMAL)))
    assert len(cells) == 4 * measured
    trains = [cell.train or Train(seeds=1) for cell in cells]
    found = {(train.optimizer, train.learning_rate) for train in trains}
    assert found == {("adam", 1.0), ("adam", 0.5), ("sgd", 1.0), ("sgd", 0.5)}
    assert {(train.steps, train.batch, train.seeds) for train in trains} == {(1_000, 0, 3)}
    assert [cell.train for cell in cells_of(sweep_of(folder, f"experiment = 'train'\n{MINIMAL}"))] == [
        Train()
    ] * measured


def test_timing_and_name_leave_the_keys_alone(folder):
    plain = cells_of(sweep_of(folder, MINIMAL))
    assert cells_of(sweep_of(folder, f'name = "other"\n{MINIMAL}[timing]\nenabled = false\nrounds = 3')) == plain


ONE_ESTIMATOR = """
from dataclasses import dataclass
from estimators import Estimator, register_estimator

@register_estimator("edited")
@dataclass(frozen=True)
class Edited(Estimator):
    def surrogate(self, problem, params, noise): ...
"""


def test_a_new_version_or_an_edited_plugin_changes_the_key(folder, monkeypatch):
    plugins = {"mine.py": PLUGIN, "estimator.py": ONE_ESTIMATOR}
    (folder / "estimator.py").write_text(ONE_ESTIMATOR)
    sweep = sweep_of(folder, 'estimator = "edited"\nproblem = "bowl"')
    sweep = sweep.with_overrides(plugins=[folder / "estimator.py"])
    keys = [cells_of(sweep)[0].key]
    for name, text in plugins.items():
        (folder / name).write_text(text + "# edited\n")
        keys.append(cells_of(sweep)[0].key)
        (folder / name).write_text(text)
        assert cells_of(sweep)[0].key == keys[0]
    monkeypatch.setattr(grid, "version", lambda: "99.0")
    keys.append(cells_of(sweep)[0].key)
    assert len(set(keys)) == 4


def test_flags_alone_make_a_sweep(folder):
    sweep = sweep_from_flags(
        estimators=["plain", "two-knobs:scale=2"], problems=["bowl"], num_samples="1, 10", device="cpu,cuda",
        dtype="float64", seed=0, compile=True, plugins=[folder / "mine.py"], rtol=0.5, name="x",
    )  # fmt: skip
    expected = itertools.product(["bowl"], [1, 10], ["cpu", "cuda"], ["float64"], ["plain", "two-knobs:scale=2"])
    assert points(cells_of(sweep)) == list(expected)
    assert (sweep.name, sweep.compile, sweep.stop) == ("x", True, Stop(rtol=0.5))


def test_flags_override_what_they_name_and_nothing_else(folder):
    sweep = sweep_of(folder, f"{FULL}\n[stop]\nreplicates = 99\nmax_seconds = 5")
    assert sweep.with_overrides() == sweep
    changed = sweep.with_overrides(num_samples="7", max_replicates=1000, seed=0)
    assert (changed.num_samples, changed.seed) == ((7,), 0)
    assert changed.stop == Stop(max_replicates=1000, max_seconds=5.0)
    assert (changed.estimator, changed.device, changed.compile) == (sweep.estimator, sweep.device, True)
    assert sweep.with_overrides(compile=False).compile is False
    assert sweep.with_overrides(plugins=["a.py"]).plugins == (str(folder / "mine.py"), str(Path.cwd() / "a.py"))
