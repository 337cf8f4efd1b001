"""Who measures a reference: jumps that were not declared, votes without power, and who is left out."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from measurements import estimated, work
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Params, Problem
from estimators.interface.objective import ExpectedCost
from experiments.measuring import long_run
from experiments.measuring.differences import Differences
from experiments.measuring.long_run import measured_gradient
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.votes import Candidate, Decision, decide
from experiments.ranking.advice import advice
from experiments.ranking.entries import ranked
from experiments.statistics import GROUPS, Groups

TRUE = np.array([1.0, -2.0, 0.5, 3.0])


def candidate(mechanism: str, factor: float = 1.0, noise: float = 1e-4, seed: int = 0) -> Candidate:
    rng = np.random.default_rng(seed)
    mean = factor * TRUE + noise * rng.standard_normal((GROUPS, 4))
    deviations = 100 * noise**2 * rng.chisquare(99, (GROUPS, 4))
    return Candidate(mechanism, mechanism, Groups(100, mean, deviations), [slice(0, 2), slice(2, 4)])


def differences(factor: float = 1.0, noise: float = 1e-4) -> Differences:
    rows = factor * TRUE + noise * np.random.default_rng(9).standard_normal((GROUPS, 4))
    return Differences(np.eye(4), rows, rows)


def voted(*candidates: Candidate, judge: Differences | None = None) -> Decision:
    return decide(candidates, judge)


PATH, SCORE = "pathwise", "score function"


def test_two_that_agree_with_power_settle_it_and_the_one_of_less_variance_measures() -> None:
    found = voted(candidate(PATH), candidate(SCORE, noise=1e-3, seed=1))
    assert found.settled and found.chosen is not None and found.chosen.spec == PATH and not found.remark


def test_an_agreement_without_power_leaves_it_to_who_needs_no_derivative() -> None:
    """The score function is too noisy to see that pathwise is 3 % off, and so may not confirm it."""
    found = voted(candidate(PATH, 1.03), candidate(SCORE, noise=0.3, seed=1))
    assert not found.settled and found.chosen is not None and found.chosen.spec == SCORE


def test_finite_differences_decide_between_two() -> None:
    found = voted(candidate(PATH, 1.03), candidate(SCORE, noise=0.01, seed=1), judge=differences())
    assert found.settled and found.chosen is not None and found.chosen.spec == SCORE
    assert "pathwise differ: the cost may jump" in found.remark


def test_one_against_one_is_undecided() -> None:
    found = voted(candidate(PATH, 1.03), candidate(SCORE, seed=1))
    assert found.chosen is None and "pathwise give one, score functions give another" in found.remark


def test_two_pairs_are_undecided() -> None:
    found = voted(candidate(PATH, 1.03), candidate("x", seed=1), candidate("y", seed=2), judge=differences(1.03))
    assert found.chosen is None and not found.settled


def test_a_difference_in_a_small_parameter_alone_is_a_difference() -> None:
    """It is 0.1 % of the gradient, and twice the parameter."""
    small = np.array([1.0, 1.0, 0.0005, 0.0005])
    groups = [Groups(100, TRUE * small * factor, np.ones((GROUPS, 4))) for factor in (1, np.array([1, 1, 2, 2]))]
    rng = np.random.default_rng(3)
    groups = [Groups(100, one.mean + 1e-5 * rng.standard_normal((GROUPS, 4)), one.deviations) for one in groups]
    first, second = (
        Candidate(name, name, one, [slice(0, 2), slice(2, 4)]) for name, one in zip("ab", groups, strict=True)
    )
    assert voted(first, second).chosen is None


def test_what_no_verdict_depends_on_is_no_difference() -> None:
    found = voted(candidate(PATH, 1.0005, noise=1e-6), candidate(SCORE, noise=1e-6, seed=1))
    assert found.settled and not found.remark


@dataclass(frozen=True)
class Jump(Problem):
    """x ~ N(1, 1) in `dim` dimensions, f = |x|² + 10·[x₀ > 1] + 10⁴: a jump that the problem does not declare."""

    dim: int = 1

    @property
    def spec(self) -> str:
        return f"jump:dim={self.dim}"

    def initial_params(self) -> Params:
        return {"loc": torch.ones(self.dim)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], torch.ones_like(params["loc"])), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x**2).sum(-1) + 10 * (x[..., 0] > 1).to(x) + 1e4


@pytest.mark.parametrize("dim", [1, 30])
def test_an_undeclared_jump_is_found(dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_run, "ELEMENTS", 2**22)
    found = measured_gradient(work("pathwise", Jump(dim), 4))
    assert isinstance(found, Reference) and "pathwise differ: the cost may jump" in found.remark
    exact = np.full(dim, 2.0) + 10 / np.sqrt(2 * np.pi) * np.eye(1, dim)[0]
    error = found.groups.std(0, ddof=1) / GROUPS**0.5
    assert (np.abs(found.gradient - exact) < 4.5 * error).all() and error[0] < 0.1


def test_an_estimator_that_misses_the_jump_is_biased_and_one_that_does_not_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(long_run, "ELEMENTS", 2**24)
    assert estimated(work("pathwise", Jump(), 4), replicates=20_032).verdict == "biased"
    right = estimated(work("score-function:control_variate=leave-one-out", Jump(), 4), replicates=20_032)
    assert right.verdict != "biased" and any("pathwise differ" in warning for warning in right.warnings)


def test_nobody_measures_where_nobody_can(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(self: Problem, x: Tensor, params: Params) -> Tensor:
        if x.shape[0] == long_run.NUM_SAMPLES:
            raise RuntimeError("too many samples")
        return x.sum(-1)

    monkeypatch.setattr(Jump, "cost", raising)
    found = measured_gradient(work("pathwise", Jump(), 4))
    assert isinstance(found, NoReference) and "too many samples" in found.remark


@dataclass(frozen=True)
class Kinked(Problem):
    """x ~ N(loc, 1), f = x² + Σ max(loc - c, 0) / 20, as units of a network switch on: the gradient is 2 loc + 1/20."""

    cost_depends_on_params = True

    def initial_params(self) -> Params:
        return {"loc": torch.tensor(1.0, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Normal(params["loc"], 1.0)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        ends = torch.tensor([0.9, 1.03, 1.06], dtype=x.dtype)
        return x**2 + (params["loc"].unsqueeze(-1) - ends).relu().sum(-1) / 20


def test_kinks_in_the_parameters_are_no_dispute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences across them err in proportion to the step, also after extrapolation."""
    monkeypatch.setattr(long_run, "ELEMENTS", 2**22)
    found = measured_gradient(work("pathwise", Kinked(), 4))
    assert isinstance(found, Reference) and "differ" not in found.remark
    assert found.gradient == pytest.approx(2.05, rel=2e-3)


def test_a_dispute_takes_the_places_of_all_that_nothing_refutes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pathwise and finite differences alone, across a jump: none of them is recommended, now and from what is kept."""
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(long_run, "ELEMENTS", 2**22)
    monkeypatch.setattr(ExpectedCost, "measured_by", ("pathwise",))
    for _ in range(2):
        found = estimated(work("pathwise", Jump(), 4), replicates=640)
        assert any("finite differences give another" in warning for warning in found.warnings)
        (standing,) = ranked([replace(found, timing=None)], "evaluations")
        assert standing.ranked.aside == "disputed" and not standing.ranked.usable
        assert advice([standing.ranked], "variance").startswith("No advice: two ways to the gradient")
