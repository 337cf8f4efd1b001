"""Expected costs at perturbed parameters, and zeroth-order estimators to hold against them."""

from dataclasses import dataclass

import torch
import torch.distributions as td
from torch import Tensor

from estimators.interface import Params, Problem
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

__all__ = ["NAMES", "Trials", "measured", "work"]
NAMES = ["finite-differences", "spsa", "evolution-strategies"]


def work(problem: Problem | str, estimator: str, num_samples: int, dtype: str = "float32") -> Workload:
    made = make_problem(problem) if isinstance(problem, str) else problem
    return prepare(made, make_estimator(estimator), num_samples, dtype=dtype)


def measured(made: Workload, replicates: int = 200_000) -> Measurement:
    return estimate(made, None, Stop(replicates=replicates))


@dataclass(frozen=True)
class Trials(Problem):
    """x ~ Geometric(sigmoid(logits)), f = Σ x: E = Σ exp(−logits); a distribution with nothing but its own sampler."""

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([0.5, 1.0], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Geometric(logits=params["logits"]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.sum(-1)

    def expected_cost(self, params: Params) -> Tensor:
        return (-params["logits"]).exp().sum(-1)
