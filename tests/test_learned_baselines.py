"""Baselines that learn: what they learn from which samples, and how steps are averaged."""

import pytest
import torch
from torch import Tensor

from estimators.control_variates.moving_average import MovingAverage
from estimators.control_variates.optimal_baseline import OptimalBaseline
from estimators.control_variates.regression import Regression
from estimators.interface import ScoredSamples
from estimators.noise import IID
from estimators.registry import make_problem
from estimators.sampling import families

S, R = 4, 3


def samples(seed: int) -> ScoredSamples:
    """Of a Gaussian in two dimensions, each replicate at a point of its own."""
    problem = make_problem("gaussian-cosine:dim=2,k=2")
    place = torch.arange(2.0 * R, dtype=torch.float64).reshape(R, 2)
    params = {"loc": 0.3 * place, "log_scale": 0.1 * place.flip(0)}
    q = problem.distribution(params)
    return ScoredSamples.of(problem, params, families.values(q, families.noise(q, S, IID(seed, dtype=torch.float64))))


def scores(drawn: ScoredSamples) -> dict[str, Tensor]:
    """(x − μ)/σ² and (x − μ)²/σ² − 1, each `[S, R, 2]`."""
    variance = (2 * drawn.params["log_scale"]).exp()
    step = drawn.x - drawn.params["loc"]
    return {"loc": step / variance, "log_scale": step**2 / variance - 1}


def test_moments_are_sums_over_the_samples() -> None:
    drawn = samples(0)
    learned = OptimalBaseline().update(drawn).moments
    assert learned is not None
    for name, score in scores(drawn).items():
        weighted = sum(drawn.cost[s].unsqueeze(-1) * score[s] ** 2 for s in range(S)) / S
        torch.testing.assert_close(learned[0][name], weighted)
        torch.testing.assert_close(learned[1][name], sum(score[s] ** 2 for s in range(S)) / S)


def test_baseline_is_the_ratio_of_the_moments() -> None:
    """The gradient of the term is b s, with the moments of the same replicate and parameter."""
    drawn = samples(0)
    baseline = OptimalBaseline().update(drawn)
    assert baseline.moments is not None
    params = {name: value.clone().requires_grad_() for name, value in drawn.params.items()}
    again = ScoredSamples.of(drawn.problem, params, drawn.x)
    found = torch.autograd.grad(baseline.term(again).sum(), list(params.values()))
    for (name, score), gradient in zip(scores(drawn).items(), found, strict=True):
        torch.testing.assert_close(gradient, baseline.moments[0][name] / baseline.moments[1][name] * score.sum(0))


def test_moving_average_of_two_steps() -> None:
    """The first step as it is; then the past with weight `decay`."""
    first, second = samples(0), samples(1)
    once = MovingAverage(decay=0.75).update(first)
    torch.testing.assert_close(once.average, first.cost.mean(0))
    twice = once.update(second)
    torch.testing.assert_close(twice.average, 0.75 * first.cost.mean(0) + 0.25 * second.cost.mean(0))


def test_optimal_baseline_of_two_steps() -> None:
    first, second = samples(0), samples(1)
    past, new = (OptimalBaseline().update(drawn).moments for drawn in (first, second))
    found = OptimalBaseline(decay=0.75).update(first).update(second).moments
    assert past is not None and new is not None and found is not None
    for part in (0, 1):
        for name in first.params:
            torch.testing.assert_close(found[part][name], 0.75 * past[part][name] + 0.25 * new[part][name])


@pytest.mark.parametrize("kind", [MovingAverage, OptimalBaseline, Regression])
@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_decay_lies_below_one(kind: type, decay: float) -> None:
    kind(decay=0.0)
    with pytest.raises(ValueError, match=r"decay must lie in \[0, 1\)"):
        kind(decay=decay)
