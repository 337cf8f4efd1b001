"""`gradmark check`: what it concludes, and its exit codes."""

from pathlib import Path

import pytest

from experiments.measuring import find_reference as reference

QUADRATIC = ("-p", "gaussian-quadratic:dim=2", "--seconds", "2")

HEAD = """
from dataclasses import dataclass

import torch
from torch.distributions import Independent, Normal

from estimators import Estimator, Problem, register_estimator, register_problem, sample
"""

ESTIMATOR = """

@register_estimator("{name}")
@dataclass(frozen=True)
class {cls}(Estimator):
    def claim(self, problem, num_samples):
        return "{claim}"

    def surrogate(self, problem, params, noise):
        {line}
        return {factor} * problem.cost(sample(problem.distribution(params), noise), params).mean(0)
"""

PROBLEM = """

@register_problem("silent")
@dataclass(frozen=True)
class Silent(Problem):
    def initial_params(self):
        return {"loc": torch.ones(2)}

    def distribution(self, params):
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x, params):
        return (x**2).sum(-1)
"""


def estimator(name: str, line: str = "pass", factor: str = "1.0", claim: str = "unbiased") -> str:
    return ESTIMATOR.format(name=name, cls=name.title().replace("-", ""), line=line, factor=factor, claim=claim)


def plugin(folder: Path, *parts: str) -> str:
    file = folder / "mine.py"
    file.write_text(HEAD + "".join(parts))
    return str(file)


@pytest.mark.parametrize(("claim", "wanted"), [("unbiased", 3), ("biased", 0)])
def test_estimates_that_are_not_finite_refute_the_claim(gradmark, tmp_path, claim, wanted):
    spoil = "torch.where(noise[0].flatten(1)[:, 0] > 2, torch.nan, 1.0)"
    code, out, err = gradmark("check", plugin(tmp_path, estimator("rarely", factor=spoil, claim=claim)), *QUADRATIC)
    assert code == wanted and "NOT FINITE" in out and "[, ]" not in out
    assert "gradient estimates are not finite" in err and "undetermined" not in err
    assert ("claims to be unbiased and is not finite" in err) == (claim == "unbiased")


def test_warnings_of_a_measurement_are_told(gradmark):
    shifted = "importance-weighted:proposal=shifted,scale=3"
    _, _, err = gradmark("check", shifted, "-p", "gaussian-quadratic:dim=1", "--seconds", "0.1", "-n", "1")
    assert f"{shifted} on gaussian-quadratic:dim=1: heavy tails" in err


def test_one_that_raises_does_not_cost_the_others(gradmark, tmp_path):
    file = plugin(tmp_path, estimator("breaking", "raise ZeroDivisionError('boom\\n and more')"), estimator("sound"))
    code, out, err = gradmark("check", file, *QUADRATIC)
    assert code == 1 and "sound" in out and "passed" in out and "breaking" not in out
    assert "breaking failed on gaussian-quadratic:dim=2: ZeroDivisionError: boom (mine.py:17)\n" in err


def test_a_refuted_claim_weighs_more_than_a_failure(gradmark, tmp_path):
    breaking = estimator("breaking", "raise ZeroDivisionError('boom')")
    file = plugin(tmp_path, breaking, estimator("wrong", factor="1.1"))
    code, out, err = gradmark("check", file, *QUADRATIC)
    assert code == 3 and "REFUTED" in out and "breaking failed" in err


def test_a_problem_without_a_gradient_needs_one_and_not_time(gradmark, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(reference, "measured_gradient", calls.append)
    file = plugin(tmp_path, estimator("sound"), estimator("sound-too"), PROBLEM)
    arguments = ["check", file, "-p", "silent", "--seconds", "0.1"]
    code, out, err = gradmark(*arguments)
    assert code == 0 and out.count("no reference") == 2 and len(calls) == 1
    assert "2 of 2 have no gradient to be compared with" in err and "expected_cost" in err and "--seconds" not in err
    assert gradmark(*arguments, "--strict")[0] == 3


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("gaussian-quadratic", "'gaussian-quadratic' is no estimator but a problem: gradmark rank gaussian-quadratic"),
        ("gaussian-quadratic:dim=3", "gradmark rank gaussian-quadratic"),
        ("leave-one-out", "score-function:control_variate=leave-one-out"),
    ],
)
def test_a_name_of_another_kind_is_noticed(gradmark, argument, message):
    code, _, err = gradmark("check", argument)
    assert code == 2 and message in err and err.count("\n") == 1


def test_an_estimator_is_no_problem(gradmark):
    code, _, err = gradmark("check", "pathwise", "-p", "score-function")
    assert code == 2 and "'score-function' is no problem but an estimator" in err
