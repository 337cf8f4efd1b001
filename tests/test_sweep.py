"""Sweep files: what they mean, and that a wrong one is refused with one helpful line."""

import dataclasses
import itertools
import math
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimators import registry
from estimators.registry.registration import tables
from experiments.sweep import Cell, Stop, Sweep, Train, files, grid, read_sweep, shipped_sweeps, sweep_from_flags
from experiments.sweep.convert import convert

PLUGIN = """
from dataclasses import dataclass
from typing import Literal
from estimators import Estimator, Problem, register_estimator, register_problem

@register_estimator("two-knobs")
@dataclass(frozen=True)
class TwoKnobs(Estimator):
    scale: float = 1.0
    side: Literal["left", "right"] = "left"
    def surrogate(self, problem, params, noise): ...

@register_estimator("plain")
@dataclass(frozen=True)
class Plain(Estimator):
    def surrogate(self, problem, params, noise): ...

@register_estimator("wrapper")
@dataclass(frozen=True)
class Wrapper(Estimator):
    base: Estimator = Plain()
    def surrogate(self, problem, params, noise): ...

@register_problem("bowl")
@dataclass(frozen=True)
class Bowl(Problem):
    dim: int = 2
    def initial_params(self): ...
    def distribution(self, params): ...
    def cost(self, x, params): ...
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a plug-in, beside which sweep files lie; the registry is as before afterwards."""
    path = tmp_path_factory.mktemp("sweeps")
    (path / "mine.py").write_text(PLUGIN)
    registry.components("estimator")  # what is installed is loaded for good
    with pytest.MonkeyPatch.context() as patch:
        for kind, table in tables.items():
            patch.setitem(tables, kind, dict(table))
        yield path


def sweep_of(folder: Path, text: str) -> Sweep:
    file = folder / "mine.toml"
    file.write_text('plugins = "mine.py"\n' + text)
    return read_sweep(file)


def points(cells: list[Cell]) -> list[tuple]:
    return [(c.problem, c.num_samples, c.device, c.dtype, c.estimator) for c in cells]


MINIMAL = """
[[estimator]]
name = "plain"
[[problem]]
name = "bowl"
"""

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
    cells = sweep_of(folder, FULL).cells()
    estimators = ["plain", "two-knobs", "two-knobs:side=right", "two-knobs:scale=2", "two-knobs:scale=2,side=right"]
    expected = itertools.product(["bowl", "bowl:dim=7"], [3, 1], ["cpu", "cuda:1"], ["float64"], estimators)
    assert points(cells) == list(expected)
    assert {(cell.seed, cell.compile, cell.stop) for cell in cells} == {(5, True, Stop())}
    assert len({cell.key for cell in cells}) == len(cells)
    assert [cell.key for cell in cells] == [cell.key for cell in sweep_of(folder, FULL).cells()]


def test_a_nested_table_is_a_grid_too(folder):
    base = '{name = "two-knobs", scale = [2, 3]}'
    text = f'problem = "bowl"\nestimator = {{name = "wrapper", base = [{base}, "plain"]}}'
    expected = ["wrapper:base=(two-knobs:scale=2)", "wrapper:base=(two-knobs:scale=3)", "wrapper"]
    assert [cell.estimator for cell in sweep_of(folder, text).cells()] == expected


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
    cells = sweep_of(folder, FULL).cells()
    left = sweep_of(folder, f"{FULL}\n[[exclude]]\n{rule}").cells()
    assert left == [cell for cell in cells if not matches(cell)]


def test_each_exclude_table_counts(folder):
    rules = '[[exclude]]\nestimator = "plain"\n[[exclude]]\nproblem = "bowl:dim=7"\n[[exclude]]\nproblem = "bowl"'
    assert sweep_of(folder, f"{FULL}\n{rules}").cells() == []


def test_the_key_covers_everything_that_defines_the_numbers():
    cell = Cell("plain", "bowl", 10)
    changes = {
        "estimator": "two-knobs", "problem": "bowl:dim=7", "num_samples": 11, "device": "cuda", "dtype": "float64",
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
    cells = sweep_of(folder, text).cells()
    measured = len(sweep_of(folder, MINIMAL).cells())
    assert len(cells) == 4 * measured
    trains = [cell.train or Train(seeds=1) for cell in cells]
    found = {(train.optimizer, train.learning_rate) for train in trains}
    assert found == {("adam", 1.0), ("adam", 0.5), ("sgd", 1.0), ("sgd", 0.5)}
    assert {(train.steps, train.batch, train.seeds) for train in trains} == {(1_000, 0, 3)}
    assert [cell.train for cell in sweep_of(folder, f"experiment = 'train'\n{MINIMAL}").cells()] == [Train()] * measured


def test_timing_and_name_leave_the_keys_alone(folder):
    plain = sweep_of(folder, MINIMAL).cells()
    assert sweep_of(folder, f'name = "other"\n{MINIMAL}[timing]\nenabled = false\nrounds = 3').cells() == plain


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
    keys = [sweep.cells()[0].key]
    for name, text in plugins.items():
        (folder / name).write_text(text + "# edited\n")
        keys.append(sweep.cells()[0].key)
        (folder / name).write_text(text)
        assert sweep.cells()[0].key == keys[0]
    monkeypatch.setattr(grid, "version", lambda: "99.0")
    keys.append(sweep.cells()[0].key)
    assert len(set(keys)) == 4


WRONG = {
    "estimators = 'plain'": ["'estimators'", "'estimator'"],
    "num_sample = 3": ["'num_sample'", "'num_samples'"],
    "[stop]\nrtoll = 1": ["'stop.rtoll'", "'rtol'"],
    "[timing]\nround = 1": ["'timing.round'", "'rounds'"],
    "[[exclude]]\nestimater = 'plain'": ["'exclude.estimater'", "'estimator'"],
    "exclude = [{}]": ["exclude", "at least one"],
    "num_samples = 0": ["num_samples", ">= 1"],
    "num_samples = [1, 1000000001]": ["num_samples[1]", "<= 1000000000"],
    "num_samples = []": ["num_samples", "empty"],
    "device = []": ["device", "empty"],
    "num_samples = true": ["num_samples", "bool"],
    "num_samples = 1.5": ["num_samples", "float"],
    "seed = -1": ["seed", ">= 0"],
    "seed = 9223372036854775808": ["seed"],
    "compile = 1": ["compile", "bool"],
    "device = 'gpu'": ["'gpu'", "cuda"],
    "device = 'cuda:x'": ["'cuda:x'"],
    "dtype = 'float23'": ["'float23'", "'float32'"],
    "stop = 3": ["stop", "table"],
    "[stop]\nrtol = nan": ["stop", "rtol", "nan"],
    "[stop]\nrtol = 0": ["stop", "rtol"],
    "[stop]\nrtol = -0.1": ["stop", "rtol"],
    "[stop]\nmax_seconds = inf": ["max_seconds", "inf"],
    "[stop]\nmax_seconds = nan": ["max_seconds", "nan"],
    "[stop]\nreplicates = 0": ["replicates"],
    "[stop]\nmax_replicates = -3": ["max_replicates", "-3"],
    "[stop]\nmax_elements = 0": ["max_elements", "0"],
    "rounding = 1": ["rounding", "bool"],
    "[stop]\ndetect = 'yes'": ["stop.detect", "bool"],
    "[timing]\nrounds = 0": ["timing.rounds"],
    "[[exclude]]\ndtype = 'float'": ["exclude", "'float'"],
    "name = ''": ["name"],
    "name = '..'": ["name", "'..'"],
    "name = 'a/b'": ["name", "'a/b'"],
    "name = 'a\\b'": ["name"],
    "name = '/etc'": ["name"],
    'name = "a\\u0000b"': ["name"],
    'name = "a\\nb"': ["name"],
    "name = '.hidden'": ["name"],
    "name = '-n'": ["name"],
    f"name = '{'x' * 61}'": ["name"],
    "name = 3": ["name", "str"],
    "description = 3": ["description", "str"],
    "[train]\nsteps = 3": ["[train]", "experiment"],
    "experiment = 'train'\nstop.rtol = 0.1": ["stop", "[train]"],
    "experiment = 'train'\ncompile = true": ["compile", "[train]"],
    "experiment = 'train'\ntrain.steps = 0": ["steps", "between 1 and", "not 0"],
    "experiment = 'train'\ntrain.optimizer = 'adamw'": ["train.optimizer", "adamw"],
    "experiment = 'train'\ntrain.learning_rate = -1": ["learning_rate", "above 0"],
    "experiment = 'train'\ntrain.learning_rate = []": ["learning_rate", "a value"],
    "experiment = 'train'\ntrain.stps = 3": ["train.stps", "steps"],
    "experiment = 'tune'": ["experiment", "unknown value 'tune'"],
    "estimator = 3": ["estimator[0]", "expected string or table, got integer"],
    "stop.max_seconds = 'long'": ["stop.max_seconds", "expected float, got string"],
    "estimator = [['plain']]": ["estimator[0]", "array"],
    "plugins = [3]": ["plugins[0]", "int"],
    "a = ": ["not a TOML file", "at end of document"],
    "seed = 1\nseed = 2": ["not a TOML file"],
    f"a = {'[' * 5000}{']' * 5000}": ["nested too deeply"],
    f"seed = {'9' * 5000}": ["not a TOML file"],
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:40])
def test_a_wrong_file_is_refused_in_one_line_that_names_it(tmp_path, text):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(ValueError) as refusal:
        read_sweep(file)
    message = str(refusal.value)
    assert "wrong.toml" in message
    assert message.isprintable()
    assert [part for part in WRONG[text] if part not in message] == []


WRONG_COMPONENTS = {
    'problem = "bowl"': ["estimator", "-e"],
    'estimator = "plain"': ["problem", "-p"],
    'estimator = "plian"\nproblem = "bowl"': ["estimator", "'plian'", "'plain'"],
    'estimator = "plain"\nproblem = "bowl:dum=3"': ["problem", "'dum'", "'dim'"],
    'problem = "bowl"\nestimator = {name = "two-knobs", side = []}': ["'side' of 'two-knobs'", "empty list"],
    'problem = "bowl"\nestimator = {name = "wrapper", base = {name = "two-knobs", scale = [[]]}}': ["'scale' of"],
    'problem = "bowl"\nestimator = {scale = 3}': ["every estimator needs a name"],
    f'{MINIMAL}[[exclude]]\nestimator = "plian"': ["exclude.estimator", "'plain'"],
    f'plugins = "missing.py"\n{MINIMAL}': ["missing.py"],
    f'problem = "bowl"\nestimator.name = "plain"\nestimator.{"a." * 3000}b = 1': ["nested too deeply"],
}


@pytest.mark.parametrize("text", WRONG_COMPONENTS, ids=lambda text: text[:40])
def test_wrong_components_are_refused_by_cells(folder, text):
    file = folder / "wrong.toml"
    file.write_text(text)
    registry.load_plugin(folder / "mine.py")
    with pytest.raises(ValueError, match="sweep 'wrong'") as refusal:
        read_sweep(file).cells()
    message = str(refusal.value)
    assert message.isprintable()
    assert [part for part in WRONG_COMPONENTS[text] if part not in message] == []


SEVEN_LISTS_OF_TEN = ", ".join(f"option{i} = {list(range(10))}" for i in range(7))


@pytest.mark.parametrize(
    "text",
    [
        f'problem = "bowl"\nnum_samples = {list(range(1, 1002))}\nestimator = {["plain"] * 1000}',
        f'problem = "bowl"\nestimator = {{name = "x", {SEVEN_LISTS_OF_TEN}}}',
        f'problem = "bowl"\nestimator = {{name = "x", base = {{name = "y", {SEVEN_LISTS_OF_TEN}}}}}',
    ],
)
def test_too_many_cells_are_refused_before_they_are_built(folder, monkeypatch, text):
    monkeypatch.setattr(registry, "expand", lambda *_: pytest.fail("expanded"))
    with pytest.raises(ValueError, match=r"1,001,000|10,000,000") as refusal:
        sweep_of(folder, text).cells()
    assert "split" in str(refusal.value)


def test_where_sweeps_are_found(tmp_path, monkeypatch):
    for name in ("quickstart", "variance"):
        (tmp_path / f"{name}.toml").write_text(MINIMAL)
    monkeypatch.setattr(files, "_shipped", lambda: {path.stem: path for path in tmp_path.glob("*.toml")})
    assert shipped_sweeps() == ["quickstart", "variance"]
    assert read_sweep("quickstart").name == "quickstart"
    with pytest.raises(ValueError, match=r"'quikstart'.*'quickstart'.*gradmark list sweeps"):
        read_sweep("quikstart")
    with pytest.raises(ValueError, match=r"cannot read .*missing\.toml: No such file"):
        read_sweep(tmp_path / "missing.toml")
    with pytest.raises(ValueError, match=r"cannot read .*directory"):
        read_sweep(tmp_path)
    for source in ("", ".", "x" * 5000, "nul\0", "a\nb"):
        with pytest.raises(ValueError) as refusal:
            read_sweep(source)
        assert str(refusal.value).isprintable()


def test_shipped_sweeps_are_valid():
    for name in shipped_sweeps():
        assert read_sweep(name).cells(), name


def test_shipped_sweeps_give_the_same_numbers_again():
    assert {read_sweep(name).stop.max_seconds for name in shipped_sweeps()} == {None}


@pytest.mark.parametrize("name", ["dimension", "log-trick", "mohamed2020", "stratification"])
def test_the_cells_of_shipped_sweeps_are_supported(name):
    cells = read_sweep(name).cells()
    assert name != "mohamed2020" or len(cells) >= 400
    for cell in cells:
        problem = registry.make_problem(cell.problem)
        assert registry.make_estimator(cell.estimator).unsupported(problem, cell.num_samples) is None, cell


def test_flags_alone_make_a_sweep(folder):
    sweep = sweep_from_flags(
        estimators=["plain", "two-knobs:scale=2"], problems=["bowl"], num_samples="1, 10", device="cpu,cuda",
        dtype="float64", seed=0, compile=True, plugins=[folder / "mine.py"], rtol=0.5, name="x",
    )  # fmt: skip
    expected = itertools.product(["bowl"], [1, 10], ["cpu", "cuda"], ["float64"], ["plain", "two-knobs:scale=2"])
    assert points(sweep.cells()) == list(expected)
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


@pytest.mark.parametrize(
    ("flags", "fragment"),
    [
        ({"num_samples": "1,,2"}, "num_samples ''"),
        ({"num_samples": "1e3"}, "1e3"),
        ({"num_samples": "0"}, "num_samples"),
        ({"device": "cpu,gpu"}, "'gpu'"),
        ({"dtype": "float23"}, "'float32'"),
        ({"rtol": math.nan}, "rtol"),
        ({"max_seconds": -1.0}, "max_seconds"),
        ({"name": "../x"}, "name"),
        ({"name": ""}, "name"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_flags_are_refused(flags, fragment):
    with pytest.raises(ValueError, match="command line") as refusal:
        sweep_from_flags(**flags)
    assert fragment in str(refusal.value)


KEYS = st.sampled_from([*Sweep.__struct_fields__, "rtol", "replicates", "scale", "dim", "side", "base", "rounds"])
SCALARS = st.one_of(
    st.booleans(), st.integers(), st.integers(min_value=-(2**200), max_value=2**200), st.floats(), st.text(),
    st.datetimes(), st.dates(), st.times(),
    st.sampled_from(["plain", "two-knobs", "two-knobs:scale=2", "wrapper", "bowl", "cpu", "float64", "measure"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(table=st.dictionaries(KEYS, VALUES, max_size=5) | st.dictionaries(KEYS | st.text(), VALUES, max_size=5))
def test_no_table_raises_anything_but_a_valueerror_of_one_line(folder, table):
    registry.load_plugin(folder / "mine.py")
    good = {"estimator": "plain", "problem": "bowl"}
    for keys in (table, good | table, good | {"exclude": table}, good | {"stop": table}):
        try:
            cells = convert(keys, Sweep, "some.toml").cells()
        except ValueError as refusal:
            assert len(str(refusal).splitlines()) == 1
        else:
            assert cells or "exclude" in keys


@settings(deadline=None)
@given(content=st.binary() | st.text().map(str.encode))
def test_no_file_raises_anything_but_a_valueerror(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    try:
        assert read_sweep(file).name == "any"
    except ValueError as refusal:
        assert "any.toml" in str(refusal)
