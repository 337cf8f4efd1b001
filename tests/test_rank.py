"""`gradmark rank`: what it measures, what it recommends, its exit codes and its budget."""

import json
from types import SimpleNamespace

import pytest
from test_check import PROBLEM, estimator, plugin

from estimators import registry
from estimators.registry import components
from experiments import reference
from experiments.commands import contest
from experiments.measuring import estimate
from experiments.reference import find_reference
from experiments.timing import ROUNDS, Timed

FEW = ("pathwise", "score-function")
QUADRATIC = ("gaussian-quadratic:dim=2", "-n", "4", "--seconds", "2")


@pytest.fixture
def few(gradmark, monkeypatch):
    """The command line with two estimators beside those of plug-ins."""
    table = {name: cls for name, cls in components("estimator").items() if name in FEW}
    monkeypatch.setitem(registry._tables, "estimator", table)
    monkeypatch.setitem(registry._tables, "control variate", {"none": components("control variate")["none"]})
    return gradmark


def test_what_is_not_finite_is_not_recommended(few, tmp_path):
    spoil = "torch.where(noise[0].flatten(1)[:, 0] > 2, torch.nan, 1e-6)"
    file = plugin(tmp_path, estimator("rarely", factor=spoil))
    code, out, _ = few("rank", *QUADRATIC, "--plugin", file)
    row = next(line for line in out.splitlines() if "rarely" in line)
    assert code == 0 and "not finite" in row and out.splitlines()[-1].startswith("Use pathwise")
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
    assert "breaking and 1 more failed on gaussian-quadratic:dim=2: ZeroDivisionError: boom\n" in err
    code, out, _ = few("rank", *QUADRATIC, "--plugin", file, "--json")
    assert code == 1 and json.loads(out)["failed"]["breaking"] == "ZeroDivisionError: boom"


def test_one_that_cannot_say_whether_it_is_supported(few, tmp_path):
    unsure = estimator("unsure").replace(
        "def claim", "def unsupported(self, problem, num_samples):\n        1 / 0\n\n    def claim"
    )
    code, out, err = few("rank", *QUADRATIC, "--plugin", plugin(tmp_path, unsure))
    assert code == 1 and "Use pathwise" in out and "unsure failed on" in err


def test_the_reference_is_found_once(few, tmp_path, monkeypatch):
    found, measured = [], []
    monkeypatch.setattr(reference, "find_reference", lambda work: found.append(work) or find_reference(work))
    monkeypatch.setattr(reference, "measured_gradient", measured.append)
    code, out, _ = few("rank", plugin(tmp_path, PROBLEM), "--seconds", "1")
    assert code == 0 and "variance × s" in out and len(found) == len(measured) == 1


def test_an_estimator_is_no_problem(few):
    code, _, err = few("rank", "pathwise")
    assert code == 2 and "'pathwise' is no problem but an estimator: gradmark check pathwise" in err


def test_the_budget_is_shared_by_who_is_left(few, monkeypatch):
    """Who needs less leaves more to those behind it, who takes more less; the reference is not in the budget."""
    shares, blocks, clock = [], [], [0.0]

    def measure(workload, found, stop):
        shares.append(stop.max_seconds)
        clock[0] += 6.5 if len(shares) == 3 else 0.1
        return estimate(workload, found, stop)

    def find(workload):
        clock[0] += 100.0
        return find_reference(workload)

    def latency(workload, seconds):
        blocks.append(seconds)
        return Timed.latency(workload, seconds)

    monkeypatch.setattr(contest, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(contest, "estimate", measure)
    monkeypatch.setattr(reference, "find_reference", find)
    monkeypatch.setattr(contest, "Timed", SimpleNamespace(latency=latency))
    assert few("rank", "gaussian-quadratic:dim=2", "-n", "4", "--seconds", "10")[0] == 0
    assert shares == [pytest.approx(share) for share in (7 / 4, 6.9 / 3, 6.8 / 2, 0.3)]
    assert sum(blocks) * (ROUNDS + 2) == pytest.approx(3.0), "and two calls that find out how long a block is"
