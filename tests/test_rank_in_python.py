"""`experiments.rank`: what the command prints, as objects; several numbers of samples; evaluations in place of time."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from contests import timeless
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators import Estimator, Noise, Params, Problem, make_problem, sample
from estimators.registry import components
from estimators.registry.registration import tables
from experiments import rank
from experiments.ranking.entries import ranked

QUADRATIC = "gaussian-quadratic:dim=2"
FEW = ["pathwise", "score-function", "score-function:control_variate=leave-one-out"]


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    timeless(monkeypatch)


@dataclass(frozen=True)
class InANotebook(Problem):
    """A class that is in no file and no registry."""

    def initial_params(self) -> Params:
        return {"loc": torch.ones(1)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x[..., 0] ** 2

    def expected_cost(self, params: Params) -> Tensor:
        return params["loc"][:, 0] ** 2 + 1


@dataclass(frozen=True)
class Mine(Estimator):
    """Pathwise, written down in a notebook."""

    times: float = 1.0

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        return self.times * problem.cost(sample(problem.distribution(params), noise), params).mean(0)


def test_the_answer_is_what_the_command_prints(gradmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without those that are fitted, which takes a time of its own."""
    few = {name: cls for name, cls in components("estimator").items() if name in ("pathwise", "score-function")}
    monkeypatch.setitem(tables, "estimator", few)
    monkeypatch.setitem(tables, "control variate", {"none": components("control variate")["none"]})
    found = rank(make_problem(QUADRATIC), 4, seconds=2)
    code, out, err = gradmark("rank", QUADRATIC, "-n", "4", "--seconds", "2")
    assert code == 0, err
    assert out == f"{found}\n" == f"{found!r}\n"
    assert found.advice in out and found.code in out
    _, out, _ = gradmark("rank", QUADRATIC, "-n", "4", "--seconds", "2", "--json")
    assert json.loads(out) == json.loads(json.dumps(found.document()))


def test_the_table_is_a_frame_with_the_figures_of_the_measurements() -> None:
    found = rank(make_problem(QUADRATIC), 4, estimators=FEW, seconds=2)
    table = found.table
    assert list(table["estimator"]) == [one.estimator for one in found.measurements]
    assert set(table["estimator"]) == set(FEW) and list(table["place"]) == [1, 2, 3]
    best = found.measurements[0]
    assert best.mse is not None
    assert table.loc[0, ["mse", "mse_low", "mse_high"]].tolist() == list(best.mse)
    assert table["figure"].is_monotonic_increasing


def test_a_class_of_a_notebook_is_ranked_with_an_estimator_of_one() -> None:
    found = rank(InANotebook(), 2, estimators=[Mine(), Mine(times=1.1), "score-function"], seconds=1)
    assert [one.estimator for one in found.ranking][:2] == ["Mine", "score-function"]
    assert found.ranking[-1].estimator == "Mine:times=1.1" and found.ranking[-1].aside == "biased"
    assert "\nestimator = Mine(times=1.0)\n" in found.code and "make_estimator" not in found.code
    problem = InANotebook().to("cpu", torch.float32)
    params = {"loc": torch.ones(1, requires_grad=True)}
    exec(found.code, {"problem": problem, "params": params, "Mine": Mine})
    assert params["loc"].grad is not None


def test_with_several_numbers_of_samples_the_best_pair_is_named() -> None:
    """Of leave-one-out the error falls faster than 1 / S; a gradient takes as long with any S here."""
    found = rank(make_problem(QUADRATIC), [2, 4, 16], estimators=FEW, seconds=2)
    assert len(found.ranking) == 9 and {one.num_samples for one in found.measurements} == {2, 4, 16}
    assert found.advice.startswith("Use pathwise with 16 samples: ") and "than pathwise with 4 samples" in found.advice
    assert "num_samples=16)" in found.code and "num_samples = 2, 4, 16;" in str(found)
    header = next(line for line in str(found).splitlines() if line.startswith("place"))
    assert header.split()[:3] == ["place", "estimator", "S"]


def test_errors_times_evaluations_of_independent_samples_are_alike_for_all_numbers_of_them() -> None:
    """MSE(S) × S is that of one sample, whatever S; with equal times the largest S is the best."""
    found = rank(make_problem(QUADRATIC), [1, 4, 16], estimators=["score-function"], by="evaluations", seconds=2)
    assert all(one.tied for one in found.ranking)
    assert found.advice.count("which it is not told apart from") == 1 and "and 1 more" in found.advice
    for one, of in found.standings:
        assert of.mse is not None and one.figure.value == of.mse.value * of.num_samples
    by_time = ranked(found.found)
    assert by_time[0].one.num_samples == 16 and not by_time[1].ranked.tied


def test_evaluations_decide_where_they_are_asked_for() -> None:
    """The measure-valued estimator has a smaller error from 32 evaluations, which here take no longer than 4."""
    specs = ["score-function", "measure-valued"]
    by_time = rank(make_problem(QUADRATIC), 4, estimators=specs, seconds=1)
    found = rank(make_problem(QUADRATIC), 4, estimators=specs, seconds=1, by="evaluations")
    for one, of in found.standings:
        assert of.mse is not None and one.figure.value == pytest.approx(of.mse.value * of.evaluations, rel=1e-12)
    first, second = found.standings
    ratio = second.ranked.figure.value / first.ranked.figure.value
    assert f"{ratio:.3g} times less MSE for the evaluations than" in found.advice
    shown = str(found)
    assert "MSE × evaluations [95 %]" in shown and "evaluations" in shown.splitlines()[2] and " time " not in shown
    assert by_time.document()["by"] == "seconds" and found.document()["by"] == "evaluations"
    ratios = [json.loads(json.dumps(one.document()))["ranking"][1]["ratio_to_best"] for one in (by_time, found)]
    assert not np.isclose(*ratios)


@dataclass(frozen=True)
class Silent(InANotebook):
    """Pays where nobody has ever been."""

    differentiable: ClassVar[bool] = False

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x[..., 0] > 30).to(x)

    def expected_cost(self, params: Params) -> Tensor | None:
        return None


def test_where_nothing_was_seen_no_budget_is_promised_to_help() -> None:
    found = rank(Silent(), 4, estimators=["score-function"], seconds=1)
    assert found.advice.startswith("No advice: every estimate of score-function was the same, and every cost.")
    assert "start from parameters where it happens" in found.advice and "narrows" not in found.advice
    assert found.code == ""


def test_how_well_the_reference_is_known_is_told() -> None:
    found = rank(make_problem(QUADRATIC), 4, estimators=["pathwise"], seconds=1)
    assert found.reference == "Errors are against the exact gradient."
    groups = np.array([[1.0, 0.0], [1.0, 0.2], [1.0, 0.1], [1.0, 0.1]])
    measured = replace(found.measurements[0], reference="measured", reference_groups=groups)
    error = groups[:, 1].std(ddof=1) / 2 / np.hypot(1.0, 0.1)
    assert measured.reference_error == pytest.approx(error, rel=1e-12)
    told = replace(found, found=[measured])
    assert told.reference == "Errors are against a measured gradient, known to 4.1 %." in str(told)
    assert told.document()["reference_error"] == pytest.approx(error)


def test_who_asks_for_nothing_sensible_is_told_in_a_line() -> None:
    problem = make_problem(QUADRATIC)
    with pytest.raises(TypeError, match="rank takes a Problem: make_problem"):
        rank(QUADRATIC)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="by must be seconds or evaluations, not 'time'"):
        rank(problem, by="time")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="num_samples must be at least 1, not 0"):
        rank(problem, [4, 0])
    with pytest.raises(ValueError, match="path-wise"):
        rank(problem, estimators=["path-wise"])
    nobody = rank(problem, 1, estimators=["spsa"])
    assert nobody.advice == f"No advice: no estimator supports {QUADRATIC} with num_samples = 1." == str(nobody)
    assert nobody.code == "" and nobody.table.empty and "even num_samples" in nobody.unsupported["spsa"]


def test_of_many_rows_those_that_a_choice_is_made_from_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best twelve, the best of each plain estimator, three that are biased; and how many others there are."""
    few = {name: cls for name, cls in components("estimator").items() if name in ("pathwise", "score-function", "spsa")}
    monkeypatch.setitem(tables, "estimator", few)
    monkeypatch.setitem(tables, "control variate", {"none": components("control variate")["none"]})
    answer = rank(make_problem("gaussian-cosine:dim=2"), [1, 2, 4, 8, 16, 32, 64, 128, 256], evaluations=400_000)
    lines = answer.text().splitlines()
    shown = [line for line in lines if line.startswith(tuple("123456789bc"))]
    left_out = len(answer.ranking) - len(shown)
    assert left_out > 2 and f"… and {left_out} more, which --all shows" in lines
    assert len([line for line in shown if line[0].isdigit()]) <= 14 and any("score-function" in line for line in shown)
    assert len(answer.text(whole=True).splitlines()) == len(lines) + left_out - 1
