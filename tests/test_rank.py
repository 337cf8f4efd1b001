"""`gradmark rank`: what it measures, what it recommends, its exit codes and its budget."""

import json

import numpy as np
import pytest
from contests import timeless
from test_check import PROBLEM, estimator, plugin

from estimators.interface.objective import ExpectedCost
from estimators.registry import components, load_plugin, make_problem
from estimators.registry.registration import tables
from experiments.measuring import growing_reference
from experiments.measuring.reference import NoReference
from experiments.ranking import candidates, phases
from experiments.ranking.contestant import Contestant
from experiments.ranking.pace import at_the_pace_of
from experiments.ranking.recipe import recipe
from experiments.timing.rounds import Timing

NOBODY = NoReference("nobody can")
FEW = ("pathwise", "score-function")
QUADRATIC = ("gaussian-quadratic:dim=2", "-n", "4", "--seconds", "2")


@pytest.fixture
def clocked(gradmark, monkeypatch):
    """The command line with two estimators beside those of plug-ins; each form of pathwise competes."""
    monkeypatch.setattr(candidates, "same_estimates", lambda *_: False)
    table = {name: cls for name, cls in components("estimator").items() if name in FEW}
    monkeypatch.setitem(tables, "estimator", table)
    monkeypatch.setitem(tables, "control variate", {"none": components("control variate")["none"]})
    monkeypatch.setattr(ExpectedCost, "measured_by", FEW)
    return gradmark


@pytest.fixture
def few(clocked, monkeypatch):
    """The same, without a clock."""
    timeless(monkeypatch)
    return clocked


def test_what_is_not_finite_is_not_recommended(few, tmp_path):
    spoil = "torch.where(noise[0].flatten(1)[:, 0] > 2, torch.nan, 1e-6)"
    file = plugin(tmp_path, estimator("rarely", factor=spoil))
    code, out, _ = few("rank", *QUADRATIC, "--plugin", file)
    row = next(line for line in out.splitlines() if "rarely" in line)
    assert code == 0 and "not finite" in row and "\nUse pathwise" in out
    code, out, _ = few("rank", *QUADRATIC, "--plugin", file, "--json")
    found = json.loads(out, parse_constant=pytest.fail)
    assert code == 0 and found["ranking"][-1]["estimator"] == "rarely"
    assert found["ranking"][-1]["total_variance"] == [None] * 3 and found["ranking"][-1]["nonfinite"] > 0


def test_where_nothing_is_finite_nothing_is_recommended(few, tmp_path):
    """The cost overflows in float32; the reference, in float64, does not."""
    file = plugin(tmp_path, PROBLEM.replace("(x**2)", "((1e30 * x) ** 2)"))
    code, out, err = few("rank", file, "--seconds", "1")
    assert code == 1 and not out, err
    assert [line for line in err.splitlines() if "gradmark:" in line] == [
        "gradmark: no gradient estimate on silent is finite: choose other parameters"
    ]


def test_an_exact_gradient_that_is_not_finite_is_told_in_one_line(few):
    code, out, err = few("rank", "gaussian-quadratic:dim=2,log_scale=5000", "--seconds", "1")
    (line,) = [line for line in err.splitlines() if "gradmark:" in line]
    assert (
        code == 1 and not out and "the exact gradient of gaussian-quadratic:dim=2,log_scale=5000 is not finite" in line
    )
    assert "Warning" not in err


def test_one_that_raises_does_not_cost_the_others(few, tmp_path):
    breaking = estimator("breaking", "raise ZeroDivisionError('boom')")
    file = plugin(tmp_path, breaking, breaking.replace("breaking", "breaking-too"))
    code, out, err = few("rank", *QUADRATIC, "--plugin", file)
    assert code == 1 and "Use pathwise" in out and "breaking" not in out
    assert "breaking failed on gaussian-quadratic:dim=2: ZeroDivisionError: boom (mine.py:" in err
    assert "breaking-too failed on gaussian-quadratic:dim=2: ZeroDivisionError: boom (mine.py:" in err
    code, out, _ = few("rank", *QUADRATIC, "--plugin", file, "--json")
    assert code == 1 and json.loads(out)["failed"]["breaking"].startswith("ZeroDivisionError: boom (mine.py:")


def test_one_that_cannot_say_whether_it_is_supported(few, tmp_path):
    unsure = estimator("unsure").replace(
        "def claim", "def unsupported(self, problem, num_samples):\n        1 / 0\n\n    def claim"
    )
    code, out, err = few("rank", *QUADRATIC, "--plugin", plugin(tmp_path, unsure))
    assert code == 1 and "Use pathwise" in out and "unsure failed on" in err


def test_the_reference_is_found_once(few, tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(growing_reference, "growing", lambda *asked: measured.append(asked) or iter([NOBODY]))
    code, out, _ = few("rank", plugin(tmp_path, PROBLEM), "--seconds", "1")
    assert code == 0 and "variance × s" in out and len(measured) == 1


def test_an_estimator_is_no_problem(few):
    code, _, err = few("rank", "pathwise")
    assert code == 2 and "'pathwise' is no problem but an estimator: gradmark check pathwise" in err


def test_the_rest_of_the_budget_goes_to_those_that_may_be_the_best(few, monkeypatch):
    """The forms of pathwise take equally long; the score function, with hundreds of times the error, is told apart."""
    monkeypatch.setattr(phases, "PRECISE", 1e-6)
    code, out, _ = few("rank", "gaussian-quadratic:dim=2,k=30", "-n", "4", "--seconds", "3", "--json")
    ranking = {row["estimator"]: row for row in json.loads(out)["ranking"]}
    assert code == 0 and not ranking["score-function"]["tied_with_best"]
    best = max(ranking.values(), key=lambda row: row["replicates"])
    assert best["replicates"] > 2 * ranking["score-function"]["replicates"]
    assert best["estimator"].startswith("pathwise")


def test_who_fails_late_leaves_the_contest(few, monkeypatch):
    sample = Contestant.sample

    def measure(self, replicates, purse):
        if self.told is not None and self.workload.estimator.spec == "pathwise":
            raise ZeroDivisionError("late")
        sample(self, replicates, purse)

    monkeypatch.setattr(Contestant, "sample", measure)
    monkeypatch.setattr(phases, "PRECISE", 1e-6)
    code, out, _ = few("rank", *QUADRATIC, "--json")
    found = json.loads(out)
    assert code == 1 and found["failed"].keys() == {"pathwise"}
    assert found["failed"]["pathwise"].startswith("ZeroDivisionError: late (")
    assert "pathwise" not in [row["estimator"] for row in found["ranking"]]


def test_later_timings_are_brought_to_the_pace_of_the_earlier():
    """The machine is half as fast later; one of three estimators is found to be slower than it seemed."""

    def timings(*latencies):
        return [Timing(np.array(latency), np.array([np.nan]), None, "a machine") for latency in latencies]

    found = at_the_pace_of(timings([1.0] * 3, [2.0] * 3, [3.0] * 3), timings([2.0], [4.0], [9.0]))
    assert [one.latency.tolist() for one in found] == [[1.0] * 4, [2.0] * 4, [3.0] * 3 + [4.5]]


OTHER = """
from estimators import Objective


@dataclass(frozen=True)
class Mine(Objective):
    name: str

    def exact(self, problem, params, num_samples):
        return None
"""


def test_an_estimator_of_another_objective_has_no_place(few, tmp_path):
    """Its gradient is more precise by far, but that of something else."""
    objective = "def objective(self, problem, num_samples):\n        return Mine('mine')\n\n    def claim"
    other = estimator("other", factor="1e-9").replace("def claim", objective)
    file = plugin(tmp_path, OTHER, other)
    code, out, _ = few("rank", *QUADRATIC, "--plugin", file, "--json")
    assert code == 0
    *_, last = json.loads(out)["ranking"]
    assert last["estimator"] == "other" and last["aside"] == "other objective" and last["target"] == "mine"
    assert last["ratio_to_best"] is None
    code, out, _ = few("rank", *QUADRATIC, "--plugin", file)
    assert "other objective" in out and "Use pathwise" in out


def test_without_a_reference_it_ranks_by_variance_and_says_so(few, tmp_path, monkeypatch):
    monkeypatch.setattr(growing_reference, "growing", lambda *asked: iter([NOBODY]))
    code, out, _ = few("rank", plugin(tmp_path, PROBLEM), "--seconds", "1")
    assert code == 0 and "variance × s" in out and "no reference" in out and "MSE" not in out
    assert "does not see a bias" in out and "less variance for the time" in out


def test_the_reasons_of_the_others_are_told_on_request(few):
    code, out, err = few("rank", "bernoulli-toy", "-n", "2", "--seconds", "1", "--reasons")
    assert code == 0 and "support" not in err
    assert any(line.startswith("pathwise ") and "differentiable" in line for line in out.splitlines()), out


@pytest.mark.parametrize(
    ("spec", "learns"), [("pathwise", False), ("score-function:control_variate=moving-average", True), ("spsa", False)]
)
def test_the_lines_of_python_run(spec, learns):
    names = ran("\n".join(recipe(make_problem("gaussian-quadratic:dim=2"), spec, 4, fitted=learns)))
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in names["params"].values())


def ran(code: str) -> dict:
    """The names of a program of which two steps are taken."""
    names: dict = {}
    assert code.count("range(1000)") == 1
    exec(code.replace("range(1000)", "range(2)"), names)
    return names


def test_a_problem_in_a_file_is_imported(tmp_path, monkeypatch):
    text = "from dataclasses import dataclass\nfrom estimators import register_problem\n"
    text += "from experiments.problems.gaussian import GaussianQuadratic\n\n\n"
    text += '@register_problem("mine")\n@dataclass(frozen=True)\nclass Mine(GaussianQuadratic): ...\n'
    (tmp_path / "of_mine.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    load_plugin(tmp_path / "of_mine.py")
    for spec, made in {"mine": "Mine()", "mine:dim=2": 'make_problem("mine:dim=2")'}.items():
        code = "\n".join(recipe(make_problem(spec), "pathwise", 4))
        assert f'problem = {made}.to("cpu", torch.float32)' in code


def test_what_is_printed_can_be_pasted(few):
    code, out, _ = few("rank", *QUADRATIC)
    advice, lines = out.split("\n\n")
    assert code == 0 and "\nUse pathwise" in advice
    assert ran(lines)["params"]["loc"].grad is not None
