"""Building from specs, tables and plug-ins."""

import dataclasses
import sys
import types
from pathlib import Path
from textwrap import dedent

import pytest

from estimators import registry
from estimators.interface import Control, Estimator, Problem
from estimators.pathwise import Pathwise
from estimators.registry import (
    components,
    expand,
    load_plugin,
    make_estimator,
    make_problem,
    register_estimator,
    register_problem,
    source_digest,
)

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


NEEDED = {
    "estimator": {"exact", "importance-weighted", "pathwise", "score-function", "stratified"},
    "control variate": {"leave-one-out", "moving-average", "none", "optimal-baseline", "taylor"},
    "problem": {"bernoulli-toy", "gaussian-quadratic", "gaussian-step", "logistic-regression"},
}


def written(folder: Path, text: str, name: str = "plugin.py") -> Path:
    path = folder / name
    path.write_text(dedent(text))
    return path


@pytest.mark.parametrize("kind", NEEDED)
def test_the_shipped_components_are_found_by_entry_point(kind: registry.Kind) -> None:
    found = components(kind)
    assert found.keys() >= NEEDED[kind]
    assert list(found) == sorted(found)
    base = {"estimator": Estimator, "problem": Problem, "control variate": Control}[kind]
    for name, cls in found.items():
        assert issubclass(cls, base)
        assert cls.name == name
        assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}("), f"{name} has no docstring of its own"


@pytest.mark.parametrize(
    ("make", "spec", "hint"),
    [
        (make_estimator, "pathwize", "did you mean 'pathwise'"),
        (make_problem, "gausian-quadratic", "did you mean 'gaussian-quadratic'"),
        (make_estimator, "score-function:control_variate=leave-one-in", "did you mean 'leave-one-out'"),
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
        (
            make_estimator,
            "pathwise:control_variate=leave-one-out",
            "cannot be leave-one-out, which goes with score-function; those that fit: linearized, quadratic$",
        ),
        (
            make_estimator,
            "score-function:control_variate=quadratic",
            "goes with pathwise; those that fit: advantages",
        ),
        (make_estimator, "pathwise:control_variate=quadratics", "did you mean 'quadratic'"),
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


def test_a_control_variate_may_be_none() -> None:
    assert make_estimator("pathwise:control_variate=none") == make_estimator("pathwise")
    table = {"name": "pathwise", "control_variate": ["none", {"name": "quadratic", "curvature": ["diagonal", "full"]}]}
    assert expand("estimator", table) == [
        "pathwise",
        "pathwise:control_variate=quadratic",
        "pathwise:control_variate=(quadratic:curvature=full)",
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


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    load_plugin(written(tmp_path, ESTIMATOR.format(name="mine"), "first.py"))
    with pytest.raises(ValueError, match="exists already"):
        load_plugin(written(tmp_path, ESTIMATOR.format(name="mine"), "second.py"))


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


def test_only_a_frozen_dataclass_of_the_right_kind_is_registered() -> None:
    with pytest.raises(TypeError, match="subclass of Problem"):
        register_problem("wrong")(Estimator)
    with pytest.raises(TypeError, match="frozen"):
        register_estimator("thawed")(type("Thawed", (Estimator,), {}))


def test_an_option_does_not_hide_a_method() -> None:
    made = dataclasses.make_dataclass("Hides", [("step", float, 0.1)], bases=(Pathwise,), frozen=True)
    with pytest.raises(TypeError, match="an option step hides the method step of every estimator"):
        register_estimator("hides-its-step")(made)
