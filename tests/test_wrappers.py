"""Estimators made of an estimator: what they do not change, their base does."""

import inspect
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import torch

from estimators import LatentVariableProblem, make_estimator, make_problem
from estimators.bounds.bound import BoundOfSamples
from estimators.interface import EXPECTED_COST, Estimator, Objective, Traits, Wrapper, replicated
from estimators.learning import fresh_samples, least_variance, variance_gradient
from estimators.noise import IID
from estimators.registry import components
from estimators.wrappers.averaged_bound import AveragedBound
from estimators.wrappers.data_points import DataPoints
from estimators.wrappers.importance_weighted import ImportanceWeighted
from estimators.wrappers.per_data_point import PerDataPoint
from estimators.wrappers.stratified import Stratified
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring import find_reference
from experiments.measuring.reference import NoReference

DERIVED = {"gradient", "loss", "refusal", "require_support", "step"}
"""The members of an estimator that follow from the others, and cannot be defined anew."""
OWN: dict[type[Wrapper], set[str]] = {
    Stratified: {"unsupported", "claim", "draw"},
    PerDataPoint: {"unsupported", "surrogate", "diagnostics"},
    AveragedBound: {"unsupported", "evaluations"},
    ImportanceWeighted: {"traits", "unsupported", "claim", "draw", "surrogate", "diagnostics"},
}
"""What each wrapper defines itself."""
MEMBERS = sorted(name for name in vars(Estimator) if not name.startswith("_") and name not in DERIVED)
ANSWERS = {
    "claim": "biased",
    "diagnostics": {"figure": torch.ones(1)},
    "draw": {"noise": torch.ones(1)},
    "estimates_cost": False,
    "evaluations": 7,
    "objective": BoundOfSamples(7),
    "surrogate": torch.ones(1),
    "traits": Traits(own_parameters=True, structured=False),
    "unsupported": "for a reason",
    "unsupported_twice": "for another",
}
GIVEN = {
    "problem": make_problem("gaussian-quadratic:dim=2"),
    "params": {"loc": torch.ones(1, 2)},
    "num_samples": 7,
    "noise": torch.zeros(7, 1, 2),
    "source": IID(0),
}


def test_what_follows_from_the_others_is_final() -> None:
    assert {name for name, value in vars(Estimator).items() if getattr(value, "__final__", False)} == DERIVED


@pytest.mark.parametrize("name", MEMBERS)
def test_a_wrapper_forwards_every_member(name: str) -> None:
    """A new member of `Estimator` that `Wrapper` does not forward fails here."""
    reached: list[tuple[Any, ...]] = []
    learned = name in ("fit", "update")

    def answer(self: Estimator, *given: Any) -> Any:
        reached.append(given)
        return Base() if learned else ANSWERS[name]

    declared = isinstance(vars(Estimator)[name], property)
    Base = type("Base", (Estimator,), {"surrogate": lambda *_: None, name: property(answer) if declared else answer})
    Plain = dataclass(frozen=True)(
        type("Plain", (Wrapper,), {"__annotations__": {"base": Estimator}, "base": field(default_factory=Base)})
    )
    plain = Plain()
    if declared:
        assert getattr(plain, name) is ANSWERS[name] and reached == [()]
        return
    _, *names = inspect.signature(getattr(Estimator, name)).parameters
    found = getattr(plain, name)(*(GIVEN[each] for each in names))
    assert reached == [tuple(GIVEN[each] for each in names)]
    assert found.base is not plain.base if learned else found is ANSWERS[name]


@pytest.mark.parametrize("wrapper", OWN)
def test_a_wrapper_defines_no_more_than_it_changes(wrapper: type[Wrapper]) -> None:
    assert set(vars(wrapper)) & set(MEMBERS) == OWN[wrapper]
    assert set(OWN) == {cls for cls in components("estimator").values() if issubclass(cls, Wrapper)}


@pytest.mark.parametrize("base", ["iwae", "dreg", "vimco", "renyi"])
@pytest.mark.parametrize("num_samples", [2, 8])
def test_a_bound_under_a_scheme_is_compared_with_the_bound(
    base: str, num_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the gradient of the ELBO, which `linear-gaussian` knows exactly."""
    measured: list[Objective] = []

    def measure(workload: Workload, *_: object) -> NoReference:
        measured.append(workload.objective)
        return NoReference()

    monkeypatch.setattr(find_reference, "read", lambda key, size: None)
    monkeypatch.setattr(find_reference, "keep", lambda key, workload, found: None)
    monkeypatch.setattr(find_reference, "measured_gradient", measure)
    problem = make_problem(f"linear-gaussian:perturbation=0.{num_samples}")
    wrapped = prepare(problem, make_estimator(f"stratified:base={base},scheme=antithetic"), num_samples)
    assert isinstance(find_reference.find_reference(wrapped), NoReference)
    assert wrapped.objective == prepare(problem, make_estimator(base), num_samples).objective != EXPECTED_COST
    assert measured == ([] if base == "renyi" else [wrapped.objective])


@pytest.mark.parametrize("control", ["moving-average", "optimal-baseline", "regression", "neural-baseline"])
def test_importance_weights_let_their_base_learn_from_the_noise_of_q(control: str) -> None:
    """As the base alone learns from the same noise, bit for bit."""
    problem = make_problem("linear-gaussian" if control == "neural-baseline" else "gaussian-quadratic:dim=2")
    problem = problem.to("cpu", torch.float32)
    weighted = make_estimator(f"importance-weighted:base=(score-function:control_variate={control})")
    params = replicated({name: value.float() for name, value in problem.initial_params().items()}, 1)
    noise = weighted.draw(problem, params, 16, IID(0))
    base = cast(ImportanceWeighted, weighted).base
    once, alone = weighted.update(problem, params, noise), base.update(problem, params, noise["base"])
    before, after = (one.gradient(problem, params, noise) for one in (weighted, once))
    assert any(not torch.equal(before[name], after[name]) for name in params)
    wanted = ImportanceWeighted(alone).gradient(problem, params, noise)
    assert all(torch.equal(after[name], wanted[name]) for name in params)


TRIALS = [spec for cls in components("estimator").values() for spec in cls.variants() if cls is not PerDataPoint]


@pytest.mark.parametrize("spec", TRIALS)
@pytest.mark.parametrize("problem", ["linear-gaussian", "digits-sbn:latent=2,points=2"])
def test_parameters_are_shared_as_declared(problem: str, spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An estimator, as learned too, gives data points that share parameters what it gives each with a copy of its own,
    or declares that it does not."""
    monkeypatch.setattr(variance_gradient, "STEPS", 3)
    monkeypatch.setattr(least_variance, "FIT_REPLICATES", 20)
    monkeypatch.setattr(fresh_samples, "FIT_SAMPLES", 50)
    made, estimator = make_problem(problem).to("cpu", torch.float64), make_estimator(spec)
    assert isinstance(made, LatentVariableProblem)
    if estimator.unsupported(DataPoints(made), 4):
        pytest.skip("it does not take the data points of this problem")
    assert shares_parameters(estimator, made) is not estimator.traits.own_parameters


def shares_parameters(base: Estimator, problem: LatentVariableProblem) -> bool:
    """Two data points, two replicates: N costs of shared parameters beside 2 N costs of copies."""
    data, start = problem.observation.flatten(0, -2)[[0, -1]], replicated(problem.initial_params(), 1)
    together = DataPoints(problem.conditioned(data, 1.0))
    apart = DataPoints(problem.conditioned(data.repeat(2, 1).unsqueeze(1), 1.0))
    pair = {name: torch.cat([value, 1.001 * value]) for name, value in start.items()}
    copies = {name: value.repeat_interleave(2, 0) for name, value in pair.items()}
    source = IID(0, dtype=torch.float64)
    try:
        noise = base.draw(together, pair, 4, source)
        for one in (base, base.fit(together, start, 4, source)):
            found, wanted = one.gradient(together, pair, noise), one.gradient(apart, copies, noise)
            for name, value in found.items():
                torch.testing.assert_close(value, wanted[name].unflatten(0, (2, 2)).sum(1), rtol=1e-8, atol=1e-8)
    except (RuntimeError, IndexError, ValueError):  # shapes that do not fit
        return False
    except AssertionError:
        return False
    return True
