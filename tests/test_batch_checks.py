"""A mini-batch that does not keep to the interface is told in a line before anything is trained on it."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from cases import PROBLEMS, problem
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from estimators.interface import LatentVariableProblem, Params, Problem
from estimators.modules import ReplicatedModule
from estimators.registry import make_estimator
from experiments import Train, train
from experiments.gradients.problem_checks import check_batch

DATA = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
ENCODER = ReplicatedModule(nn.Linear(3, 2), "encoder.")


@dataclass(frozen=True)
class Bits(LatentVariableProblem):
    """A model of two bits a data point, whose encoder sees each data point by itself, as its author thinks."""

    name = "bits"
    encoder = ("encoder.weight", "encoder.bias")
    observation: Tensor = field(init=False, default_factory=lambda: DATA)
    mapped: str = "of_data"

    def initial_params(self) -> Params:
        return ENCODER.initial_params() | {"decoder": torch.ones(2, 3, dtype=torch.float64)}

    def posterior(self, params: Params) -> Distribution:
        call = getattr(ENCODER, "of_batches" if self.observation.ndim == 3 and self.mapped == "both" else "of_data")
        return Independent(Bernoulli(logits=call(params, self.observation)), 1)

    def log_joint(self, z: Tensor, params: Params) -> Tensor:
        mean = z @ params["decoder"]
        return Normal(mean, 1.0).log_prob(self.observation.to(z)).sum(-1)


@dataclass(frozen=True)
class Mean(Problem):
    """The mean of data, whose batch comes from a function."""

    name = "mean"
    weights: Any = None

    data: Any = field(init=False, default_factory=lambda: DATA)

    @property
    def num_data(self) -> int:
        return 6

    def initial_params(self) -> Params:
        return {"loc": torch.zeros(3, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        data = self.data.expand(x.shape[1], -1, 3) if self.data.ndim == 2 else self.data
        return self.weights(((x.unsqueeze(2) - data) ** 2).sum(-1))

    def batch(self, indices: Tensor) -> Problem:
        made = Mean(self.weights)
        object.__setattr__(made, "data", self.data[indices])
        return made


MISTAKES = {
    "of_data": (Bits(), r"batch shape \(2, 2\) for 2 replicates.*of_batches"),
    "of others": (
        Mean(lambda each: each.mean((1, 2)).unsqueeze(1).expand(-1, each.shape[1])),
        r"the cost of mean.* on a mini-batch of 4 data points depends on the data of other replicates",
    ),
    "[S, R, B]": (Mean(lambda each: each if each.shape[2] == 4 else each.sum(-1)), r"must be \[S, R\] = \[3, 2\]"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_wrong_with_a_batch(mistake: str) -> None:
    made, said = MISTAKES[mistake]
    with pytest.raises(ValueError, match=said) as told:
        train(made, make_estimator("score-function"), 2, Train(steps=1, batch=4, seeds=2))
    assert "\n" not in str(told.value) and "mini-batch" in str(told.value)


@pytest.mark.parametrize("made", [Bits("both"), Mean(lambda each: each.sum(-1))], ids=["latent", "plain"])
def test_a_right_batch_is_trained_on(made: Problem) -> None:
    assert train(made, make_estimator("score-function"), 2, Train(steps=2, record=2, batch=4, seeds=2)).steps == 2


@pytest.mark.parametrize("spec", PROBLEMS)
def test_those_of_the_registry_are_right(spec: str) -> None:
    made = problem(spec)
    for dtype in (torch.float32, torch.float64) if made.num_data else ():
        point = {name: value.to(dtype) for name, value in made.initial_params().items()}
        for size in (1, 2, 10**9):
            check_batch(made.to("cpu", dtype), point, size)
