"""Rankings whose answer is known by theory."""

import json

import pytest
from contests import timeless

from estimators.registry import components
from estimators.registry.registration import tables

CONTROLLED = ("double", "discrete-stein", "muprop", "moving-average", "leave-one-out", "regression", "optimal-baseline")
COUPLED = ("measure-valued", "rao-blackwellized", "rebar", "relax", "arm", "disarm", "arms", "unordered-set")
BIASED_PATH = {"pathwise": False}


def placed_path(spec):
    return spec == "stratified" or (spec.startswith("stratified:") and "base=" not in spec)


def without_path(spec):
    return spec.startswith(("score-function", "measure-valued", "path-with-jumps"))


def coupled_or_controlled(spec):
    controls = spec.startswith("score-function:") and any(name in spec for name in CONTROLLED)
    return spec.partition(":")[0] in COUPLED or controls


KNOWN = {
    "gaussian-cosine:dim=4": (64, placed_path),
    "gaussian-step": (10, without_path),
    "bernoulli-toy:dim=20,logit=0.5,t=0.1": (10, coupled_or_controlled),
}


def check_ranking(run, problem, seed, seconds):
    num_samples, right = KNOWN[problem]
    arguments = ("-n", str(num_samples), "--seed", str(seed), "--seconds", str(seconds), "--json")
    code, out, _ = run("rank", problem, *arguments)
    ranking = json.loads(out)["ranking"]
    usable = {row["estimator"]: row["usable"] for row in ranking}
    assert code == 0 and right(ranking[0]["estimator"]), ranking[0]
    assert "exact" not in usable
    if problem == "gaussian-step":
        assert BIASED_PATH.items() <= usable.items()
        assert {row["verdict"] for row in ranking if row["estimator"] in BIASED_PATH} == {"biased"}


@pytest.mark.parametrize("problem", KNOWN)
def test_the_best_of_some_is_known_by_theory(gradmark, monkeypatch, problem):
    names = ("pathwise", "score-function", "stratified", "measure-valued", "importance-weighted", "rao-blackwellized")
    names = (*names, "exact", "path-derivative")
    table = {name: cls for name, cls in components("estimator").items() if name in names}
    monkeypatch.setitem(tables, "estimator", table)
    timeless(monkeypatch)
    check_ranking(gradmark, problem, seed=0, seconds=5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("problem", KNOWN)
def test_the_best_of_all_is_known_by_theory(gradmark, problem, seed):
    check_ranking(gradmark, problem, seed, seconds=30)
