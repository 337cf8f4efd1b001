"""Programs with latent variables: twins of the linear Gaussian model, and one of bits whose bound is a sum."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from estimators import LatentProgram, Params
from estimators.interface import LatentVariableProblem
from experiments.problems.linear_gaussian import LinearGaussian

__all__ = ["BY_HAND", "Alone", "Parts", "Whole", "exact_bound_of_two"]

BY_HAND = LinearGaussian(dim=2, perturbation=1, points=3)


@dataclass(frozen=True)
class Whole(LatentProgram):
    """z of a data point as one variable."""

    observation: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "observation", BY_HAND.observation)

    @property
    def spec(self) -> str:
        """That of the other, which the seeds of whatever is learned follow from."""
        return BY_HAND.spec

    def initial_params(self) -> Params:
        return BY_HAND.initial_params()

    def expected_cost(self, params: Params) -> Tensor:
        other = BY_HAND.conditioned(self.observation, self.data_weight).expected_cost(params)
        assert other is not None
        return other

    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        q = Normal(params["weight"] @ x + params["bias"], math.sqrt(BY_HAND.posterior_variance))
        z = sample("z", q, prior=Normal(params["prior_mean"], 1.0))
        return -Normal(z, 1.0).log_prob(x).sum()


@dataclass(frozen=True)
class Parts(Whole):
    """The entries of z as two variables, the prior of one of which comes later."""

    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        mean, scale = params["weight"] @ x + params["bias"], math.sqrt(BY_HAND.posterior_variance)
        first = sample("first", Normal(mean[0], scale), prior="later")
        second = sample("second", Normal(mean[1], scale), prior=Normal(params["prior_mean"][1], 1.0))
        yield -Normal(params["prior_mean"][0], 1.0).log_prob(first)
        yield -Normal(torch.stack([first, second]), 1.0).log_prob(x).sum()


@dataclass(frozen=True)
class Alone(Parts):
    """The same, called for one sample at a time."""

    mapped = False  # pyright: ignore


def exact_bound_of_two(made: LatentVariableProblem, params: Params) -> Tensor:
    """The negative bound of two samples of a model of two bits a data point, by a sum over all pairs of states."""
    states = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]).to(next(iter(params.values())))
    z = states[:, None, None].expand(-1, 1, made.observation.shape[-2], -1)
    log_q, log_w = made.log_q(z, params), made.log_weights(z, params)
    pairs = torch.logaddexp(log_w[:, None], log_w[None]) - math.log(2)
    return -((log_q[:, None] + log_q[None]).exp() * pairs).sum((0, 1, 3))
