"""Modules beside a plug-in file: imported as beside a script, never mixed, and gone from the names of others."""

import json
import pickle
import sys
from pathlib import Path

import pytest
from test_registry import ESTIMATOR, written

from estimators.registry import load_plugin, make_estimator, plugin_files, source_digest, source_is_known, unload_plugin

MINE = ESTIMATOR.replace("    from dataclasses", "    {imports}\n    from dataclasses")
FROM = "from helpers import FACTOR"


def plugin(folder: Path, name: str, factor: float, imports: str = FROM) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "helpers.py").write_text(f"FACTOR = {factor}\nclass Kept:\n    pass\n")
    text = MINE.format(name=name, imports=imports)
    assert "2.0" in text
    return written(folder, text.replace("2.0", "FACTOR"))


def test_neighbours_of_one_name_do_not_mix(tmp_path: Path) -> None:
    before = dict(sys.modules)
    one, two = plugin(tmp_path / "one", "first", 3.0), plugin(tmp_path / "two", "second", 5.0)
    load_plugin(one)
    load_plugin(two)
    assert (make_estimator("first").factor, make_estimator("second").factor) == (3.0, 5.0)  # type: ignore
    assert str(tmp_path / "one") not in sys.path
    added = set(sys.modules) - set(before)
    assert added and all(name.startswith("gradmark_plugin_") for name in added)
    assert all(sys.modules[name] is module for name, module in before.items())


def test_an_edited_neighbour_is_read_anew_and_is_a_part_of_the_digest(tmp_path: Path) -> None:
    path = plugin(tmp_path, "mine", 3.0)
    load_plugin(path)
    first = make_estimator("mine")
    digest = source_digest(first)
    assert plugin_files(path) == [path, tmp_path / "helpers.py"] and source_is_known(first)
    plugin(tmp_path, "mine", 4.0)
    assert source_digest(first) != digest
    load_plugin(path)
    assert make_estimator("mine").factor == 4.0  # type: ignore
    unload_plugin(path)
    assert plugin_files(path) == [path]


def test_a_file_without_neighbours_has_the_digest_that_it_had(tmp_path: Path) -> None:
    path = written(tmp_path, ESTIMATOR.format(name="mine"))
    load_plugin(path)
    import hashlib

    assert source_digest(make_estimator("mine")) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "imports",
    [
        "import package.deep; FACTOR = package.deep.FACTOR",
        "from package import deep; FACTOR = deep.FACTOR",
        "from package.deep import FACTOR",
        "import package; FACTOR = package.FACTOR",
        "from bare.deep import FACTOR",
        "import importlib; FACTOR = importlib.import_module('package.deep').FACTOR",
        "from package.circle import FACTOR",
    ],
)
def test_packages_beside_it(tmp_path: Path, imports: str) -> None:
    for folder in ("package", "bare"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "deep.py").write_text("FACTOR = 7.0\nimport helpers\n")
    (tmp_path / "package" / "__init__.py").write_text("from .deep import FACTOR\n")
    (tmp_path / "package" / "circle.py").write_text("import package.circle\nfrom helpers import FACTOR\n")
    load_plugin(plugin(tmp_path, "mine", 7.0, imports))
    assert make_estimator("mine").factor == 7.0  # type: ignore
    assert not {"package", "bare", "helpers", "package.deep"} & set(sys.modules)


def test_what_is_installed_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour goes before somebody's module of its name, not before Python's or gradmark's, and not for good."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "helpers.py").write_text("FACTOR = 99.0\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(elsewhere)
        import helpers  # type: ignore

        for name in ("json", "estimators", "numpy"):
            (tmp_path / f"{name}.py").write_text("raise RuntimeError('hidden')\n")
        load_plugin(plugin(tmp_path, "mine", 3.0, f"import json, numpy; {FROM}"))
        assert make_estimator("mine").factor == 3.0  # type: ignore
        assert sys.modules["helpers"] is helpers and helpers.FACTOR == 99.0
        assert sys.modules["json"] is json
        del sys.modules["helpers"]


def test_classes_of_neighbours_can_be_pickled(tmp_path: Path) -> None:
    load_plugin(plugin(tmp_path, "mine", 3.0, f"{FROM}, Kept"))
    kept = sys.modules[type(make_estimator("mine")).__module__].Kept
    assert type(pickle.loads(pickle.dumps(kept()))) is kept


def test_a_broken_neighbour_is_told_with_its_line(tmp_path: Path) -> None:
    path = plugin(tmp_path, "mine", 3.0)
    (tmp_path / "helpers.py").write_text("\n1 / 0\n")
    before = set(sys.modules)
    with pytest.raises(ValueError, match=r"ZeroDivisionError: .*helpers\.py:2\)"):
        load_plugin(path)
    assert set(sys.modules) == before


def test_problems_and_neighbours_are_found_by_every_command(gradmark, tmp_path: Path) -> None:
    model = tmp_path / "models" / "model.py"
    model.parent.mkdir()
    (model.parent / "helpers.py").write_text("CENTRE = 2.0\n")
    model.write_text(MODEL)
    code, out, err = gradmark("check", "pathwise", "-p", "models/model.py", "-n", "2", "--seconds", "1")
    assert code == 0 and out.count("shifted-bowl") == 2 and "passed" in out, err
    flags = ("-p", "shifted-bowl", "-e", "pathwise", "-n", "2", "--max-replicates", "640", "--name", "beside")
    code, out, err = gradmark("run", *flags, "--plugin", "models/model.py", "--jobs", "2")
    assert code == 0 and "shifted-bowl" in out, err
    code, out, err = gradmark("check", "pathwise", "-p", "nothing.py")
    assert code == 2 and "nothing.py does not exist" in err


MODEL = """
from dataclasses import dataclass

import torch
from helpers import CENTRE
from torch.distributions import Independent, Normal

from estimators import Problem, register_problem


@register_problem("shifted-bowl")
@dataclass(frozen=True)
class ShiftedBowl(Problem):
    dim: int = 2

    @classmethod
    def variants(cls):
        return [cls.name, f"{cls.name}:dim=1"]

    def initial_params(self):
        return {"loc": torch.ones(self.dim)}

    def distribution(self, params):
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x, params):
        return ((x - CENTRE) ** 2).sum(-1)

    def expected_cost(self, params):
        return ((params["loc"] - CENTRE) ** 2 + 1.0).sum(-1)
"""
