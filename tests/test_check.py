"""`gradmark check`: what it concludes, and its exit codes."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from measurements import Custom, estimated, work

from estimators.interface import Estimator
from estimators.registry import make_estimator
from experiments.commands.check import Check, _verdict
from experiments.measuring import find_reference as reference
from experiments.measuring import summary
from experiments.measuring.loop import estimate
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.stop import Stop
from experiments.measuring.summary import REFERENCE_ERROR, WITHIN_ROUNDING

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
    monkeypatch.setattr(
        reference, "measured_gradient", lambda work, *_: calls.append(work) or NoReference("nobody can")
    )
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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stop_reason": "max_seconds"}, "more --seconds would decide"),
        ({"stop_reason": "max_seconds", "diagnostics": {WITHIN_ROUNDING: 1440.9}}, "--dtype float64 would tell"),
        ({"stop_reason": "max_seconds", "diagnostics": {REFERENCE_ERROR: 0.1}}, "give the problem an expected_cost"),
        ({"stop_reason": "precision"}, "a larger -n tells more, --seconds do not"),
        ({"stop_reason": "max_replicates"}, "a larger -n tells more, --seconds do not"),
    ],
)
def test_what_would_decide_is_more_seconds_only_where_they_would(changes, said, capsys):
    found = replace(estimated(work("pathwise"), replicates=640), **({"verdict": "undetermined"} | changes))
    assert _verdict([Check("pathwise", "a problem", found)], strict=False) == 0
    err = capsys.readouterr().err
    assert err.startswith("1 of 1 stay undetermined: ") and said in err
    assert ("more --seconds would" in err) == (changes == {"stop_reason": "max_seconds"})


@dataclass(frozen=True)
class Doubled(Estimator):
    def surrogate(self, problem, params, noise):
        return 2 * make_estimator("pathwise").surrogate(problem, params, noise)


@pytest.mark.parametrize(("dtype", "verdict"), [("float32", "undetermined"), ("float64", "biased")])
def test_a_bias_that_rounding_may_explain_is_to_be_measured_in_float64(monkeypatch, dtype, verdict):
    monkeypatch.setattr(summary, "rounding_shift", lambda workload: 1e6)
    found = estimated(work(Doubled(), dtype=dtype), replicates=64_000)
    assert found.verdict == verdict and found.scale is not None and abs(found.scale.value - 2) < 0.05
    warned = [warning for warning in found.warnings if "measure in float64 (--dtype float64)" in warning]
    assert bool(warned) == (dtype == "float32") == (WITHIN_ROUNDING in found.diagnostics)
    if warned:
        assert found.diagnostics[WITHIN_ROUNDING] == pytest.approx(1.0, abs=0.05)


def test_a_measured_reference_that_is_not_known_well_enough_is_told():
    problem = Custom()
    reference = estimated(work("score-function", problem), replicates=640).groups.mean
    found = estimate(work("pathwise", problem), Reference("measured", reference), Stop(replicates=64_000))
    assert found.verdict == "undetermined" and found.diagnostics[REFERENCE_ERROR] > 0.01
    assert any("measured reference is known to" in warning for warning in found.warnings)
    better = estimated(work("pathwise", problem), replicates=10**6).groups.mean
    assert (
        REFERENCE_ERROR not in estimate(work("pathwise", problem), Reference("measured", better), Stop(640)).diagnostics
    )


def test_a_rescaled_gradient_is_told_as_one(gradmark):
    spec = "score-function:control_variate=group-relative"
    code, out, err = gradmark("check", spec, *QUADRATIC)
    assert code == 0 and "biased, as claimed" in out
    assert f"{spec} on gaussian-quadratic:dim=2: nearly a multiple of the gradient: 0.25" in err
