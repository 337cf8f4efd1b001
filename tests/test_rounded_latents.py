"""Latent variables that round to the edge of their support: the density of the encoder is that of what they were."""

from dataclasses import dataclass, field

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from estimators import IID, LatentVariableProblem, Params, drawn, make_estimator, replicated
from estimators.sampling import families
from estimators.wrappers.data_points import DataPoints


@dataclass(frozen=True)
class Gates(LatentVariableProblem):
    """Two data points with three nearly binary gates each, and a joint density in which no parameter stands."""

    observation: Tensor = field(default_factory=lambda: torch.tensor([[0.3], [0.8]], dtype=torch.float64))
    encoder = ("log_a", "log_b")

    @property
    def spec(self) -> str:
        return "gates"

    def initial_params(self) -> Params:
        return {name: torch.full((2, 3), -3.0, dtype=torch.float64) for name in self.encoder}

    def posterior(self, params: Params) -> td.Distribution:
        return td.Independent(td.Beta(params["log_a"].exp(), params["log_b"].exp()), 1)

    def log_joint(self, z: Tensor, params: Params) -> Tensor:
        return -((z.mean(-1) - self.observation.squeeze(-1).to(z)) ** 2)


@pytest.mark.parametrize("by_data_point", [False, True])
def test_the_direct_gradient_of_the_cost_is_that_before_rounding(by_data_point: bool) -> None:
    problem = DataPoints(Gates()) if by_data_point else Gates()
    params = replicated(problem.initial_params(), 200)
    noise = families.noise(problem.distribution({name: value.float() for name, value in params.items()}), 4, IID(0))
    found = {}
    for dtype in (torch.float32, torch.float64):
        point = {name: value.to(dtype) for name, value in params.items()}
        samples = drawn(problem.distribution(point), noise.to(dtype))
        gradient = torch.func.grad(lambda at, samples=samples: problem.cost_of(samples, at).sum())(point)
        found[dtype] = torch.stack([value.double() for value in gradient.values()])
    close = 1e-4 * found[torch.float64].abs().max()
    assert (found[torch.float32] - found[torch.float64]).abs().max() < close


@pytest.mark.parametrize("spec", ["vimco", "reweighted-wake-sleep", "score-function"])
def test_no_score_is_taken_at_an_edge(spec: str) -> None:
    """Many samples round to the largest number below 1, where log(1 − x) is −17 whatever it was before."""
    problem, estimator = Gates(), make_estimator(spec)
    params = {name: value.float() for name, value in replicated(problem.initial_params(), 500).items()}
    noise = estimator.draw(problem, params, 4, IID(0))
    moved = noise + torch.where(noise[..., :1] - noise[..., 1:] > 17, torch.tensor([0.0, -30.0]), 0.0)
    here, there = (estimator.gradient(problem, params, each)["log_b"] for each in (noise, moved))
    assert not torch.equal(noise, moved) and not torch.equal(here, there)
