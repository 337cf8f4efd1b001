"""Errors in a file of the user's own: its line, and what to write there."""

from pathlib import Path

import pytest

from estimators.registry.faults import defined_at, is_installed, raised_at
from experiments.machine.errors import reason

MODEL = """
from dataclasses import dataclass

import torch
from torch.distributions import Independent, Normal

from estimators import Problem, register_problem

CONSTANT = torch.ones(3, dtype=torch.float64)


def centred(x):
    return x - 1.0


@register_problem("mine")
@dataclass(frozen=True)
class Mine(Problem):
    def initial_params(self):
        return {"loc": torch.zeros(3)}

    def distribution(self, params):
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x, params):
        return (centred(x) ** 2).sum(-1)
"""
COST = "return (centred(x) ** 2).sum(-1)"
MISTAKES = {
    "one number": (COST, "return (centred(x) ** 2).sum()", "not []; x is [S, R, 3]", "def cost"),
    "a number a replicate": (COST, "return (centred(x) ** 2).sum((0, -1))", "write .sum(-1)", "def cost"),
    "a constant": (COST, "return ((x - CONSTANT) ** 2).sum(-1)", "and it is float64: make its", "def cost"),
    "a constant of q": (
        'params["loc"], 1.0',
        'params["loc"], CONSTANT',
        "log_prob of the distribution of mine is float64",
        "def distribution",
    ),
    "a matrix": (COST, "return centred(x) @ CONSTANT", "something has another dtype", "return centred"),
    "raised deeper": ("return x - 1.0", "return 1 / 0", "ZeroDivisionError: division", None),
    "raised at first": ("return {", "raise KeyError('start')  # {", "KeyError: 'start'", None),
    "a value": ("return {", "raise ValueError('too small')  # {", "too small", None),
    "no scale": ("1.0), 1)", "-1.0), 1)", "refused by its distribution", "return Independent"),
    "not a batch": (
        'Independent(Normal(params["loc"], 1.0), 1)',
        'Normal(params["loc"], 1.0)',
        "wrap it",
        "def distribution",
    ),
    "no list": ('{"loc": torch.zeros(3)}', "[1.0]", "must be a dict of tensors", "def initial"),
    "not read": ("CONSTANT = ", "CONSTANT = open('nothing.txt')  #", "nothing.txt", None),
    "no Python": ("def centred(x):", "def centred(x:", "SyntaxError", None),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_model_is_told_with_its_line(gradmark, tmp_path: Path, mistake: str) -> None:
    change, wrong, said, place = MISTAKES[mistake]
    text = MODEL.replace(change, wrong)
    assert wrong in text
    (tmp_path / "mine.py").write_text(text)
    code, out, err = gradmark("rank", "mine.py", "-n", "2", "--seconds", "0.5")
    told = [one for one in err.splitlines() if one.startswith("gradmark: ")]
    assert code in (1, 2) and not out and len(told) == 1, err
    (line,) = [number for number, line in enumerate(text.splitlines(), 1) if (place or wrong) in line]
    assert said in told[0] and f"(mine.py:{line})" in told[0], told


def test_what_is_installed_is_never_named(gradmark) -> None:
    import torch

    try:
        torch.dot(torch.ones(2), torch.ones(3))
    except RuntimeError as error:
        assert raised_at(error).startswith(f" ({Path(__file__)}:"), "the line above, not one of torch"
    try:
        torch.distributions.Normal(torch.zeros(2), torch.ones(3))
    except RuntimeError as error:
        assert f"({Path(__file__)}:" in reason(error)
    assert defined_at(torch.distributions.Normal.rsample) == defined_at(len) == ""
    assert is_installed(torch.__file__) and is_installed("<frozen importlib>") and not is_installed(__file__)


def test_an_exception_that_cannot_say_what_it_is() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert reason(Mute()) == "Mute"
