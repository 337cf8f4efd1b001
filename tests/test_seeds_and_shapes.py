"""Costs at moved parameters for distributions with their own samplers: noise that is a seed, and noise with axes."""

import math
from dataclasses import dataclass

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from estimators import IID, Params, Problem, make_estimator
from estimators.interface import replicated

REPLICATES, STEP = 40_000, 0.2


@dataclass(frozen=True)
class Waiting(Problem):
    """Even mixtures of two exponentials, independent, f = cos Σ x; or of exponentials that torch samples itself."""

    variables: int = 1

    def initial_params(self) -> Params:
        return {"log_rate": torch.tensor([[0.3, -0.5], [1.3, 0.5]][: self.variables], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        rate = params["log_rate"].exp()
        mixture = td.MixtureSameFamily(td.Categorical(logits=torch.zeros_like(rate)), td.Exponential(rate))
        return td.Independent(mixture, 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.sum(-1).cos()

    def expected(self, log_rate: Tensor) -> Tensor:
        """Re Π φ(1), with the characteristic functions λ / (λ − i)."""
        rate = log_rate.exp().to(torch.complex128)
        return (rate / (rate - 1j)).mean(-1).prod(-1).real


class Seeded(td.Exponential):
    """Sampled by a sampler of its own, whose noise is a seed."""

    def rsample(self, sample_shape=()) -> Tensor:
        return super().rsample(torch.Size(sample_shape))


@dataclass(frozen=True)
class SeededWaiting(Waiting):
    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(Seeded(params["log_rate"].exp()), 2)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.sum((-1, -2)).cos()

    def expected(self, log_rate: Tensor) -> Tensor:
        rate = log_rate.exp().to(torch.complex128)
        return (rate / (rate - 1j)).prod(-1).prod(-1).real


@pytest.mark.parametrize("problem", [Waiting(1), Waiting(2), SeededWaiting(1), SeededWaiting(2)], ids=str)
def test_finite_differences_with_noise_of_their_own(problem: Waiting) -> None:
    """(F(θ + h) − F(θ − h)) / 2h of each entry."""
    estimator = make_estimator("finite-differences:common_noise=false")
    reason = make_estimator("finite-differences").unsupported(problem, 4)
    assert reason is not None and reason.endswith("cannot be common; try common_noise=false")
    point = problem.initial_params()
    params = replicated(point, REPLICATES)
    found = estimator.gradient(problem, params, estimator.draw(problem, params, 32, IID(0, dtype=torch.float64)))
    (gradient,), theta = found.values(), point["log_rate"]
    shifts = STEP * torch.eye(theta.numel(), dtype=torch.float64).unflatten(-1, theta.shape)
    rise = torch.stack([problem.expected(theta + shift) - problem.expected(theta - shift) for shift in shifts])
    error = gradient.std(0) / math.sqrt(REPLICATES)
    assert ((gradient.mean(0) - (rise / (2 * STEP)).view(theta.shape)).abs() < 4 * error).all()


@pytest.mark.parametrize("spec", ["spsa", "evolution-strategies", "spsa:antithetic=false"])
@pytest.mark.parametrize("problem", [Waiting(2), SeededWaiting(2)], ids=str)
def test_random_directions(spec: str, problem: Waiting) -> None:
    """E[(F(θ + hΔ) − F(θ − hΔ)) Δ / 2h] over the directions that were drawn."""
    estimator = make_estimator(spec)
    point = problem.initial_params()
    params = replicated(point, REPLICATES)
    noise = estimator.draw(problem, params, 2, IID(0, dtype=torch.float64))
    (gradient,) = estimator.gradient(problem, params, noise).values()
    moves = noise["directions"].unflatten(-1, point["log_rate"].shape)
    up, down = (problem.expected(point["log_rate"] + sign * STEP * moves) for sign in (1, -1))
    slope = (up - down) / 2 if len(moves) == 1 else up
    expected = (slope[..., None, None] * moves / STEP).mean(0)
    off = gradient - expected
    assert (off.mean(0).abs() < 4 * off.std(0) / math.sqrt(REPLICATES)).all()
