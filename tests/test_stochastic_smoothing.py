"""Stochastic smoothing is the score function of x = θ + σε: in closed form, by quadrature, with its covariates."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from estimators.interface import Params, Problem, start
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.problems.smoothed_ranking import KINDS, SmoothedRanking
from experiments.sweep import Stop

NOISES = sorted(KINDS)
LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"


@dataclass(frozen=True)
class Distance(Problem):
    """|x| at θ = 0.37; its slope is P(x > 0) − P(x < 0)."""

    noise: str = "normal"
    scale: float = 0.5

    def initial_params(self) -> Params:
        return {"theta": torch.tensor([0.37], dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        theta = params["theta"]
        return Independent(KINDS[self.noise](theta, torch.full_like(theta, self.scale)), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.abs().sum(-1)


@pytest.mark.parametrize("noise", [noise for noise in NOISES if noise != "cauchy"])  # whose |x| has no mean
@pytest.mark.parametrize("spec", ["score-function", LEAVE_ONE_OUT])
def test_the_slope_of_a_smoothed_distance_in_closed_form(noise: str, spec: str) -> None:
    wanted = {
        "normal": math.erf(0.74 / math.sqrt(2)),
        "laplace": 1 - math.exp(-0.74),
        "logistic": math.tanh(0.37),
        "gumbel": 1 - 2 * math.exp(-math.exp(0.74)),
    }
    made = prepare(Distance(noise), make_estimator(spec), 2, dtype="float64")
    found = made.gradient(made.params(50_000), made.draw(made.source("slope"), 50_000))["theta"]
    assert abs(float(found.mean()) - wanted[noise]) < 4 * float(found.std()) / math.sqrt(50_000)
    assert float(found.std()) / math.sqrt(50_000) < 0.02 * wanted[noise]


@pytest.mark.parametrize("noise", NOISES)
def test_smoothed_ranks_are_what_the_quadrature_says(noise: str) -> None:
    work = prepare(make_problem(f"smoothed-ranking:noise={noise}"), make_estimator(LEAVE_ONE_OUT), 8, dtype="float64")
    found = estimate(work, find_reference(work), Stop(replicates=100_000))
    assert found.verdict != "biased" and found.detectable_bias is not None and found.detectable_bias < 0.02
    point = {name: value.expand(200_000, -1) for name, value in start(work.problem).items()}
    cost = make_estimator(LEAVE_ONE_OUT).surrogate(work.problem, point, work.draw(work.source("cost"), 200_000))
    exact = work.problem.expected_cost(start(work.problem))
    assert exact is not None
    assert abs(float(cost.mean() - exact)) < 4 * float(cost.std()) / math.sqrt(200_000)


def test_two_noisy_scores_in_closed_form() -> None:
    """The ranks are right or both wrong by one: E[f] = 2 P(x_0 > x_1), where x_0 − x_1 has the variance 2σ²."""
    problem = SmoothedRanking(items=2)
    point = {name: value.requires_grad_() for name, value in start(problem).items()}
    expected = problem.expected_cost(point)
    ahead = point["scores"][0, 0] - point["scores"][0, 1]
    wanted = 2 * torch.special.ndtr(ahead / (0.5 * math.sqrt(2)))
    torch.testing.assert_close(expected[0], wanted, rtol=1e-10, atol=0)
    ours, theirs = (torch.autograd.grad(value, point["scores"])[0] for value in (expected.sum(), wanted))
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("noise", ["gumbel", "laplace"])
@pytest.mark.parametrize("scheme", ["antithetic", "latin-hypercube", "sobol"])
def test_any_scheme_serves(noise: str, scheme: str) -> None:
    """Without bias, and with less variance than samples that are drawn independently."""
    problem = make_problem(f"smoothed-ranking:noise={noise}")
    found = []
    for spec in ("score-function", f"stratified:base=score-function,scheme={scheme}"):
        work = prepare(problem, make_estimator(spec), 8, dtype="float64")
        found.append(estimate(work, find_reference(work), Stop(replicates=10_000)))
    assert all(one.verdict != "biased" for one in found)
    assert found[1].total_variance.high < found[0].total_variance.low
