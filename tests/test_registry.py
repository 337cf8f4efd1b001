"""Building from specs, tables and plug-ins."""

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from estimators import registry
from estimators.interface import ControlVariate, Estimator, Problem
from estimators.registry import (
    components,
    expand,
    load_plugin,
    make_control_variate,
    make_estimator,
    make_problem,
    register_estimator,
    register_problem,
    source_digest,
    source_is_known,
)
from estimators.registry.registration import tables

ESTIMATOR = """
    from dataclasses import dataclass
    from estimators import Estimator, register_estimator
    from estimators.pathwise import Pathwise

    @register_estimator("{name}")
    @dataclass(frozen=True)
    class Mine(Estimator):
        factor: float = 2.0

        def surrogate(self, problem, params, noise):
            return self.factor * Pathwise().surrogate(problem, params, noise)
"""
CONTROL_VARIATE = """
    from dataclasses import dataclass
    import torch
    from estimators import ControlVariate, register_control_variate

    @register_control_variate("{name}")
    @dataclass(frozen=True)
    class Nothing(ControlVariate):
        def term(self, samples):
            return torch.zeros_like(samples.cost)
"""
NEEDED = {
    "estimator": {"exact", "importance-weighted", "pathwise", "score-function", "stratified"},
    "control variate": {"leave-one-out", "moving-average", "none", "optimal-baseline", "taylor"},
    "problem": {"bernoulli-toy", "gaussian-quadratic", "gaussian-step", "logistic-regression"},
}


@pytest.fixture(autouse=True)
def unchanged_registry() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    components("estimator")  # loads what is installed
    before = {kind: dict(table) for kind, table in tables.items()}
    yield
    for kind, table in tables.items():
        table.clear()
        table.update(before[kind])


def written(folder: Path, text: str, name: str = "plugin.py") -> Path:
    path = folder / name
    path.write_text(dedent(text))
    return path


@pytest.mark.parametrize("kind", NEEDED)
def test_the_shipped_components_are_found_by_entry_point(kind: registry.Kind) -> None:
    found = components(kind)
    assert found.keys() >= NEEDED[kind]
    assert list(found) == sorted(found)
    base = {"estimator": Estimator, "problem": Problem, "control variate": ControlVariate}[kind]
    for name, cls in found.items():
        assert issubclass(cls, base)
        assert cls.name == name
        assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}("), f"{name} has no docstring of its own"


@pytest.mark.parametrize(
    ("make", "spec", "hint"),
    [
        (make_estimator, "pathwize", "did you mean 'pathwise'"),
        (make_problem, "gausian-quadratic", "did you mean 'gaussian-quadratic'"),
        (make_control_variate, "leave-one-in", "did you mean 'leave-one-out'"),
        (make_problem, "gaussian-quadratic:dimm=3", "did you mean 'dim'"),
        (make_estimator, "score-function:control_variate=leave-one", "did you mean 'leave-one-out'"),
        (make_estimator, "stratified:scheme=sobl", "did you mean 'sobol'"),
        (make_problem, "gaussian-quadratic:dim=0", "dim must be at least 1"),
        (make_problem, "gaussian-quadratic:dim=2.5", "whole number"),
        (make_estimator, "stratified:base=stratified", "nested|cannot be the base"),
        (make_estimator, "importance-weighted:scale=-1", "scale must be positive"),
        (make_estimator, "importance-weighted:base=exact", "not on exact"),
        (make_estimator, "moving-average", "unknown estimator"),
        (make_estimator, "score-function:name=x", "unknown option"),
        (make_problem, "logistic-regression:signed_features=1", "unknown option"),
        (make_estimator, "score-function:control_variate=(moving-average:average=1)", "unknown option"),
        (make_estimator, "score-function:control_variate=(moving-average:decay=1)", "decay"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(make, spec: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint) as refused:
        make(spec)
    assert str(refused.value).isprintable()


def test_expand_a_grid() -> None:
    assert expand("problem", "gaussian-quadratic:k=0,dim=3") == ["gaussian-quadratic:dim=3"]
    assert expand("problem", {"name": "gaussian-quadratic"}) == ["gaussian-quadratic"]
    assert expand("problem", {"name": "gaussian-quadratic", "dim": [1, 2], "k": [0, 0.5]}) == [
        "gaussian-quadratic:dim=1",
        "gaussian-quadratic:dim=1,k=0.5",
        "gaussian-quadratic:dim=2",
        "gaussian-quadratic:dim=2,k=0.5",
    ]
    assert expand("estimator", {"name": "importance-weighted", "self_normalized": [True, False]}) == [
        "importance-weighted:self_normalized=true",
        "importance-weighted",
    ]


def test_expand_nested_tables_and_specs() -> None:
    score = {"name": "score-function", "control_variate": ["none", {"name": "moving-average", "decay": [0.5, 0.9]}]}
    assert expand("estimator", {"name": "stratified", "base": [score, "pathwise"], "scheme": "sobol"}) == [
        "stratified:base=score-function,scheme=sobol",
        "stratified:base=(score-function:control_variate=(moving-average:decay=0.5)),scheme=sobol",
        "stratified:base=(score-function:control_variate=moving-average),scheme=sobol",
        "stratified:scheme=sobol",
    ]
    assert expand("estimator", {"name": "score-function", "control_variate": "moving-average:decay=0.5"}) == [
        "score-function:control_variate=(moving-average:decay=0.5)"
    ]


def test_expand_names_each_spec_once() -> None:
    assert expand("problem", {"name": "gaussian-quadratic", "k": [1, 1.0, 0, 1]}) == [
        "gaussian-quadratic:k=1",
        "gaussian-quadratic",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"name": 3},
        {"name": "gaussian"},
        {"name": "gaussian-quadratic", "dimm": 1},
        {"name": "gaussian-quadratic", "dim": {"name": "pathwise"}},
    ],
)
def test_a_bad_table_is_refused_in_one_line(entry: dict) -> None:
    with pytest.raises(ValueError) as refused:
        expand("problem", entry)
    assert str(refused.value).isprintable()


def test_a_plugin_registers_what_it_defines(tmp_path: Path) -> None:
    load_plugin(written(tmp_path, ESTIMATOR.format(name="mine")))
    assert make_estimator("mine:factor=3").spec == "mine:factor=3"
    load_plugin(str(written(tmp_path, CONTROL_VARIATE.format(name="nothing"), "other.py")))
    assert make_estimator("score-function:control_variate=nothing").spec == "score-function:control_variate=nothing"
    assert "score-function:control_variate=nothing" in components("estimator")["score-function"].variants()


def test_an_edited_plugin_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = written(tmp_path, ESTIMATOR.format(name="mine"))
    load_plugin(path)
    load_plugin(path)
    old = make_estimator("mine")
    digest = source_digest(old)
    path.write_text(path.read_text().replace("2.0", "5.0"))
    load_plugin(path)
    new = make_estimator("mine")
    assert (old.factor, new.factor) == (2.0, 5.0)  # type: ignore[attr-defined]
    assert source_digest(new) != digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('no luck')", "no luck"),
        ("import a_module_that_does_not_exist", "a_module_that_does_not_exist"),
        (ESTIMATOR.format(name="pathwise"), "exists already"),
        ("import sys; sys.exit('bye')", "bye"),
        (ESTIMATOR.format(name="mine").replace("(frozen=True)", ""), "frozen"),
        (ESTIMATOR.format(name="mine").replace("(Estimator)", ""), "subclass of Estimator"),
    ],
)
def test_a_broken_plugin_is_refused_with_its_reason(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    before = set(sys.modules)
    with pytest.raises(ValueError, match=said) as refused:
        load_plugin(path)
    assert "plugin.py" in str(refused.value)
    assert "mine" not in components("estimator")
    assert not [name for name in set(sys.modules) - before if name.startswith("gradmark_plugin")]


def test_what_is_no_python_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        load_plugin(tmp_path / "nothing.py")
    with pytest.raises(ValueError):
        load_plugin(tmp_path)
    with pytest.raises(ValueError, match=r"\.py"):
        load_plugin(written(tmp_path, "x = 1", "plugin.txt"))
    (tmp_path / "binary.py").write_bytes(b"\xff\x00\xfe")
    with pytest.raises(ValueError, match="could not be loaded"):
        load_plugin(tmp_path / "binary.py")


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    load_plugin(written(tmp_path, ESTIMATOR.format(name="mine"), "first.py"))
    with pytest.raises(ValueError, match="exists already"):
        load_plugin(written(tmp_path, ESTIMATOR.format(name="mine"), "second.py"))


def test_the_digest_covers_nested_plugins_and_nothing_that_is_shipped(tmp_path: Path) -> None:
    assert source_digest(make_estimator("score-function:control_variate=leave-one-out")) == ""
    assert source_digest(make_problem("logistic-regression")) == ""
    path = written(tmp_path, CONTROL_VARIATE.format(name="nothing"))
    load_plugin(path)
    outer = make_estimator("stratified:base=(score-function:control_variate=nothing)")
    first = source_digest(outer)
    assert len(first) == 64
    path.write_text(path.read_text() + "\n# edited\n")
    assert source_digest(outer) != first


SUBCLASS = """
    from dataclasses import dataclass
    from estimators import register_estimator
    from someone_elses import Mine

    @register_estimator("inherited")
    @dataclass(frozen=True)
    class Inherited(Mine):
        more: float = 1.0
"""


def test_the_digest_covers_what_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    base = written(tmp_path, ESTIMATOR.format(name="mine"), "someone_elses.py")
    load_plugin(written(tmp_path, SUBCLASS))
    made = make_estimator("stratified:base=inherited")
    assert source_is_known(made)
    first = source_digest(made)
    base.write_text(base.read_text() + "\n# edited\n")
    assert source_digest(made) != first
    monkeypatch.delitem(sys.modules, "someone_elses")
    base.unlink()
    assert not source_is_known(made), "a base without a source, as in a notebook"


def in_a_notebook(text: str) -> types.ModuleType:
    """Run as a cell of a notebook is: in a module without a file."""
    module = types.ModuleType("notebook")
    sys.modules["notebook"] = module
    exec(compile(dedent(text), "<cell>", "exec"), module.__dict__)
    return module


def test_a_class_of_a_notebook_can_be_registered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "notebook", types.ModuleType("notebook"))
    in_a_notebook(ESTIMATOR.format(name="mine"))
    module = in_a_notebook(ESTIMATOR.format(name="mine"))
    assert type(make_estimator("mine")) is module.Mine


def test_a_class_of_a_notebook_has_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "notebook", types.ModuleType("notebook"))
    module = in_a_notebook(ESTIMATOR.format(name="mine"))
    assert isinstance(source_digest(module.Mine()), str)


@pytest.mark.parametrize("name", ["Bad Name:x=1", "BadName", "bad_name", "bad name", "", "-bad", "bad-", "bad--name"])
def test_a_name_is_in_kebab_case(name: str) -> None:
    mine = in_a_notebook(ESTIMATOR.format(name="mine")).Mine
    with pytest.raises(ValueError, match=f"'{name}' cannot name Mine: .* 'my-model'") as refused:
        register_estimator(name)(mine)
    assert str(refused.value).isprintable() and mine.name == "mine"
    assert register_estimator("v2-good-name")(mine).name == "v2-good-name"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("float = 2.0", "float"), "Mine: the option factor needs a default"),
        (("def surrogate", "def surogate"), "Mine lacks surrogate, which every estimator defines"),
        (('("mine")', '("Bad Name:x=1")'), "'Bad Name:x=1' cannot name Mine"),
    ],
)
def test_a_plugin_whose_class_cannot_be_built_is_refused(gradmark, tmp_path: Path, change, said: str) -> None:
    text = ESTIMATOR.format(name="mine")
    assert change[0] in text
    code, out, err = gradmark("check", str(written(tmp_path, text.replace(*change))))
    assert code == 2 and said in err and err.count("\n") == 1 and not out


def test_only_a_frozen_dataclass_of_the_right_kind_is_registered() -> None:
    with pytest.raises(TypeError, match="subclass of Problem"):
        register_problem("wrong")(Estimator)
    with pytest.raises(TypeError, match="frozen"):
        register_estimator("thawed")(type("Thawed", (Estimator,), {}))
