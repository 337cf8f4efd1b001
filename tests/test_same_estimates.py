"""Forms of the pathwise estimator that give the same estimates take one place in a ranking."""

import json

import pytest
import torch
from contests import timeless

from estimators.interface import Problem
from estimators.pathwise import Pathwise
from estimators.registry import components, make_problem
from estimators.registry.registration import tables
from estimators.sampling.implicit import Implicit
from experiments.ranking.candidates import candidates
from experiments.ranking.same_estimates import same_estimates

INVERSE, IMPLICIT = "pathwise:form=inverse-cdf", "pathwise:form=implicit"
SAME = {
    "gaussian-cosine:dim=2": [INVERSE, IMPLICIT],
    "lognormal-cost:dim=2": [INVERSE, IMPLICIT],
    "exponential-quadratic:dim=2": [INVERSE, IMPLICIT],
    "gamma-cost:dim=2": [IMPLICIT],
    "mixture-cost:dim=2": [IMPLICIT],
    "gaussian-full-covariance:dim=2": [],
}


def problem(spec: str, dtype: torch.dtype = torch.float32) -> Problem:
    return make_problem(spec).to("cpu", dtype)


@pytest.fixture
def only_pathwise(monkeypatch):
    monkeypatch.setitem(tables, "estimator", {"pathwise": components("estimator")["pathwise"]})
    monkeypatch.setitem(tables, "control variate", {})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spec", SAME)
def test_forms_that_give_the_same_estimates_are_measured_once(only_pathwise, spec, dtype):
    found = candidates(problem(spec, dtype), 2)
    assert found.supported == ["pathwise"] and found.same == dict.fromkeys(SAME[spec], "pathwise")
    assert not found.same.keys() & found.unsupported.keys()


def test_a_form_of_another_derivative_is_measured(only_pathwise, monkeypatch):
    right = Implicit.sample

    def one_percent_more(self, q, noise):
        x = right(self, q, noise)
        return x + 0.01 * (x - x.detach())

    monkeypatch.setattr(Implicit, "sample", one_percent_more)
    found = candidates(problem("gaussian-cosine:dim=2"), 2)
    assert found.supported == ["pathwise", IMPLICIT] and found.same == {INVERSE: "pathwise"}


def test_a_form_of_other_samples_is_measured(monkeypatch):
    monkeypatch.setattr(Implicit, "values", lambda self, q, noise: self.quantile.values(q, noise**2))
    quadratic = problem("gaussian-quadratic:dim=2")
    assert not same_estimates(quadratic, Pathwise(), Pathwise("implicit"))
    assert same_estimates(quadratic, Pathwise(), Pathwise("inverse-cdf"))


def test_a_form_that_is_not_finite_or_raises_is_measured(only_pathwise, monkeypatch):
    monkeypatch.setattr(Implicit, "sample", lambda self, q, noise: self.values(q, noise) * q.scale * torch.nan)
    assert IMPLICIT in candidates(problem("gaussian-cosine:dim=2"), 2).supported

    def fail(self, q, noise):
        raise ZeroDivisionError

    monkeypatch.setattr(Implicit, "noise", fail)
    assert not same_estimates(problem("gaussian-cosine:dim=2"), Pathwise(), Pathwise("implicit"))


def test_a_line_under_the_table_says_what_was_not_measured(gradmark, only_pathwise, monkeypatch):
    timeless(monkeypatch)
    arguments = ("rank", "gaussian-quadratic:dim=2", "--seconds", "1")
    code, out, _ = gradmark(*arguments)
    told = f"not measured, since they give the same estimates as pathwise (in other times): {INVERSE}, {IMPLICIT}"
    assert code == 0 and told in out.splitlines() and "Use pathwise." in out
    document = json.loads(gradmark(*arguments, "--json")[1])
    assert document["same_estimates"] == {INVERSE: "pathwise", IMPLICIT: "pathwise"}
    assert [row["estimator"] for row in document["ranking"]] == ["pathwise"]
