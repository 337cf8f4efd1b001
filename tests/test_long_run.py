"""Measured references: who may measure one, on which noise, and under which name it is kept."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators import Estimator, Noise, Objective, Params, Problem, register_estimator
from estimators.pathwise import Pathwise
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring import long_run
from experiments.measuring.find_reference import find_reference
from experiments.measuring.long_run import measured_gradient
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.reference_files import key_of

SCORE = "score-function:control_variate=leave-one-out"


@dataclass(frozen=True)
class Square(Problem):
    """x ~ N(loc, 1), f = |x|², without a formula: the gradient is 2 loc."""

    start: ClassVar[float] = 1.0

    def initial_params(self) -> Params:
        return {"loc": torch.full((2,), self.start, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x**2).sum(-1)


@dataclass(frozen=True)
class Measured(Objective):
    """The expected cost, measured by the estimators of these specs."""

    name: str = "measured"
    measured_by: ClassVar[tuple[str, ...]] = ("a-tenth-too-large", "score-function")

    def exact(self, problem: Problem, params: Params, num_samples: int) -> None:
        return None


@dataclass(frozen=True)
class MeasuredWith(Measured):
    of_samples: int = 0


@dataclass(frozen=True)
class Compared(Estimator):
    """Pathwise, compared with what is measured."""

    def objective(self, problem: Problem, num_samples: int) -> Objective:
        return Measured()

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        return Pathwise().surrogate(problem, params, noise)


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    @register_estimator("a-tenth-too-large")
    @dataclass(frozen=True)
    class TooLarge(Estimator):
        """Claims to be unbiased, and has far less variance than the score function."""

        def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
            return 1.1 * Pathwise().surrogate(problem, params, noise)

    monkeypatch.setattr(long_run, "ELEMENTS", 2**20)


def work(seed: int = 0) -> Workload:
    return prepare(Square(), Compared(), 2, seed=seed)


def measured(seed: int = 0) -> Reference:
    found = measured_gradient(work(seed))
    assert isinstance(found, Reference)
    return found


def test_one_against_one_measures_nothing_and_says_who_differs() -> None:
    found = measured_gradient(work())
    assert isinstance(found, NoReference)
    assert "a-tenth-too-large give one, score functions give another" in found.remark


def test_two_mechanisms_outvote_a_third(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Measured, "measured_by", ("a-tenth-too-large", "pathwise", SCORE))
    found = measured()
    error = found.groups.std(0, ddof=1) / len(found.groups) ** 0.5
    assert (error < 0.02).all() and (np.abs(found.gradient - 2) < 4.5 * error).all()
    agree = "pathwise, score functions and finite differences agree on the reference gradient"
    assert found.remark == f"{agree}, and a-tenth-too-large differ"


def test_who_agrees_measures_it_with_less_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Measured, "measured_by", (SCORE,))
    plain = measured()
    monkeypatch.setattr(Measured, "measured_by", ("pathwise", SCORE))
    best = measured()
    assert best.groups.std() < plain.groups.std() / 2 and not best.remark


def test_a_reference_is_measured_on_noise_of_its_own_whatever_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cell's seed it would be right where that cell is wrong, and another for every seed."""
    monkeypatch.setattr(Measured, "measured_by", ("pathwise", SCORE))
    np.testing.assert_array_equal(measured(0).groups, measured(1).groups)


def test_who_raises_is_left_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    @register_estimator("broken")
    @dataclass(frozen=True)
    class Broken(Estimator):
        def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
            raise RuntimeError("no such derivative")

    monkeypatch.setattr(Measured, "measured_by", ("broken", "pathwise", SCORE))
    found = measured()
    np.testing.assert_allclose(found.gradient, 2, atol=0.05)
    assert "measured without broken" in found.remark and "no such derivative" in found.remark


def test_a_reference_is_that_of_the_point_where_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one problem by name, whose parameters start elsewhere, as those of a trained model may."""
    monkeypatch.setattr(Measured, "measured_by", ("pathwise", SCORE))
    here = find_reference(work())
    monkeypatch.setattr(Square, "start", 3.0)
    there = find_reference(work())
    assert isinstance(here, Reference) and isinstance(there, Reference) and here.kind == there.kind == "measured"
    np.testing.assert_allclose(here.gradient, 2, atol=0.1)
    np.testing.assert_allclose(there.gradient, 6, atol=0.3)


def test_an_objective_of_its_own_for_each_number_of_samples_has_a_reference_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that does not tell the numbers apart is no reason to take one reference for all."""
    few, many = (prepare(Square(), Compared(), num_samples) for num_samples in (2, 3))
    assert key_of(few) == key_of(many)
    monkeypatch.setattr(Compared, "objective", lambda self, problem, num_samples: MeasuredWith(of_samples=num_samples))
    assert key_of(replace(few)) != key_of(replace(many))
