# pyright: reportArgumentType=false
"""A ranking on a program: who serves which variable, what is left out, and how the recipe names the program."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.distributions import Bernoulli, Normal

from estimators import Params, Program, Unsupported, load_plugin, make_estimator, make_problem
from experiments import rank
from experiments.ranking.by_variable import by_variable
from experiments.ranking.candidates import candidates
from experiments.ranking.recipe import recipe

LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"
FILE = """import torch
from torch.distributions import Bernoulli, Normal
from estimators import register_program

@register_program("my-steps", loc=torch.tensor(0.3))
def steps(params, sample):
    z = sample("z", Normal(params["loc"], 1.0))
    yield z**2
    for t in range(3):
        b = sample(f"bit{t}", Bernoulli(logits=params["loc"] * z))
        yield b * z
"""


@dataclass(frozen=True)
class Names(Program):
    """Two numbers and four bits in turn."""

    def initial_params(self) -> Params:
        return {"loc": torch.tensor(0.3, dtype=torch.float64)}

    def run(self, params: Any, sample: Any) -> Any:
        total = sample("z", Normal(params["loc"], 1.0)) ** 2 + sample("w1", Normal(params["loc"], 1.0))
        for t in (7, 8, 9, 11):
            total = total + sample(f"bit{t}", Bernoulli(logits=params["loc"]))
        yield total


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("per-variable", f"pathwise at z and w1; {LEAVE_ONE_OUT} at bit7 … bit9 and bit11"),
        ("per-variable:discrete=disarm", "pathwise at z and w1; disarm at bit7 … bit9 and bit11"),
        ("per-variable:at=bit?,discrete=score-function,there=arms", "pathwise at z and w1; arms at bit7 … bit9; "),
        ("score-function", ""),
    ],
)
def test_who_serves_which_variable(spec: str, words: str) -> None:
    told = by_variable(spec, Names())
    assert told.startswith(words) and bool(told) == bool(words)
    assert by_variable(spec, make_problem("gaussian-quadratic")) == ""


@pytest.mark.parametrize(
    ("spec", "problem", "words"),
    [
        ("discrete=disarm", "state-space", "no discrete variable is there for discrete=disarm"),
        ("continuous=measure-valued", "gridworld", "no continuous variable is there for continuous=measure-valued"),
        ("at=acton*", "gridworld:side=2,steps=2", "no variable matches at=acton*: there are action0, slip0, action1"),
        ("there=arms", "layers", "there=arms needs at, a pattern of names of variables, such as at=z"),
        ("at=*,discrete=disarm", "layers", "no discrete variable is left for discrete=disarm"),
        ("discrete=(per-variable:at=z)", "layers", "no variable matches at=z: there are first, second"),
    ],
)
def test_parts_that_serve_no_variable_are_refused(spec: str, problem: str, words: str) -> None:
    with pytest.raises(Unsupported, match=re.escape(words)):
        make_estimator(f"per-variable:{spec}").require_support(make_problem(problem), 4)


@pytest.mark.parametrize(
    ("problem", "same"), [("gridworld:side=2,steps=2", LEAVE_ONE_OUT), ("state-space:steps=2", "pathwise")]
)
def test_one_estimator_for_all_variables_is_ranked_once(problem: str, same: str) -> None:
    found = candidates(make_problem(problem), 4)
    assert found.same["per-variable"] == same and same in found.supported
    assert not found.failed
    other = "continuous" if problem.startswith("grid") else "discrete"
    assert not [spec for spec in found.supported if spec.startswith(f"per-variable:{other}")]


def test_a_mixed_program_has_no_estimator_for_all() -> None:
    assert "per-variable" in candidates(Names(), 4).supported


def test_the_answer_says_who_serves_which_variable() -> None:
    answer = rank(Names(), 4, estimators=["per-variable"], evaluations=40_000, by="evaluations", progress=False)
    assert answer.remarks[0] == f"per-variable is pathwise at z and w1; {LEAVE_ONE_OUT} at bit7 … bit9 and bit11"


def test_the_recipe_names_the_program_and_its_file(tmp_path) -> None:
    (tmp_path / "steps.py").write_text(FILE)
    load_plugin(tmp_path / "steps.py")
    lines = recipe(make_problem("my-steps"), "score-function", 4)
    assert lines[1].startswith("from steps import ") and lines[3].startswith("problem = ")


def test_problems_are_named_as_they_are_made() -> None:
    named = {
        'problem = make_problem("gridworld:side=2").to("cpu", torch.float32)': make_problem("gridworld:side=2"),
        "# problem: an object of your class Names; params: its parameters by name, tensors with requires_grad": Names(),
    }
    for line, problem in named.items():
        assert line in recipe(problem, "score-function", 4)
