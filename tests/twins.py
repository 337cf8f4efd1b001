"""Programs of one variable, twins of problems written by hand."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Gamma, Independent, Normal, OneHotCategorical

from estimators import Params, Problem, Program
from estimators.registry import make_problem

__all__ = ["TWINS", "Twin", "twins"]


@dataclass(frozen=True)
class Twin(Program):
    """A program of one variable that is the same problem as another, and begins at the same parameters."""

    of: Problem

    @property
    def spec(self) -> str:
        """That of the other, which the seeds of whatever is learned follow from."""
        return self.of.spec

    def initial_params(self) -> Params:
        return self.of.initial_params()

    def expected_cost(self, params: Params) -> Tensor | None:
        return self.of.expected_cost(params)


class Cosine(Twin):
    def run(self, params: Any, sample: Any) -> Any:
        return sample("x", Normal(params["loc"], params["log_scale"].exp())).cos().sum()


class Bits(Twin):
    def run(self, params: Any, sample: Any) -> Any:
        return ((sample("b", Bernoulli(logits=params["logits"])) - 0.1) ** 2).mean()


class Classes(Twin):
    def run(self, params: Any, sample: Any) -> Any:
        x = sample("class", OneHotCategorical(logits=params["logits"]))
        index = torch.arange(x.numel(), dtype=torch.float64)
        level = (x * (1 + ((1 + index) ** 1.5).sin().reshape(x.shape)).to(x)).sum(-1)
        return (level.sum() - 1) ** 2 + level.prod()


class Positive(Twin):
    def run(self, params: Any, sample: Any) -> Any:
        yield (sample("x", Gamma(params["log_concentration"].exp(), params["log_rate"].exp())) ** 2).sum()


class Latent(Twin):
    """The negative evidence lower bound, as a cost."""

    def run(self, params: Any, sample: Any) -> Any:
        data: Any = vars(self.of)["observation"].to(params["bias"])
        q = Independent(Normal(data @ params["weight"].mT + params["bias"], math.sqrt(2 / 3)), 2)
        z = sample("z", q)
        log_joint = Normal(params["prior_mean"], 1.0).log_prob(z) + Normal(z, 1.0).log_prob(data)
        return q.log_prob(z) - log_joint.sum()


TWINS = {
    "gaussian-cosine:dim=2": Cosine,
    "bernoulli-toy:dim=4,logit=0.5,t=0.1": Bits,
    "categorical-toy": Classes,
    "gamma-cost:concentration=5,dim=2": Positive,
    "linear-gaussian:dim=2,perturbation=1,points=2": Latent,
}


@cache
def twins(spec: str) -> tuple[Problem, Program]:
    """The problem written by hand, and the program."""
    original = make_problem(spec)
    return original, TWINS[spec](original)
