"""Sweeps in files and in flags: where they are found, and what of them is refused in one line."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import MINIMAL

from estimators import registry
from experiments.sweep import cells_of, files, read_sweep, shipped_sweeps, sweep_from_flags

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
    "estimator = ['plain']\n[[estimator]]\nname = 'a'": ["[[estimator]] in line 2", "in one list, estimator = ["],
    "problem = 'plain'\n\n[[problem]]\nname = 'a'": ["[[problem]] in line 3", "another form"],
    "[[exclude]]\nseed = 1\n[exclude]\nseed = 2": ["[exclude] in line 3", "write each as a [[exclude]] table"],
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
        assert cells_of(read_sweep(name)), name


def test_shipped_sweeps_give_the_same_numbers_again():
    assert {read_sweep(name).stop.max_seconds for name in shipped_sweeps()} == {None}


@pytest.mark.parametrize("name", ["dimension", "log-trick", "mohamed2020", "stratification"])
def test_the_cells_of_shipped_sweeps_are_supported(name):
    cells = cells_of(read_sweep(name))
    assert name != "mohamed2020" or len(cells) >= 400
    for cell in cells:
        problem = registry.make_problem(cell.problem)
        assert registry.make_estimator(cell.estimator).unsupported(problem, cell.num_samples) is None, cell


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


@settings(deadline=None)
@given(content=st.binary() | st.text().map(str.encode))
def test_no_file_raises_anything_but_a_valueerror(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    try:
        assert read_sweep(file).name == "any"
    except ValueError as refusal:
        assert "any.toml" in str(refusal)
