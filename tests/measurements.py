"""Measurements of small workloads, and estimators and problems of a test's own."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Estimator, Params, Problem
from estimators.registry import make_estimator, make_problem
from experiments import Measurement
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.sweep import Stop

__all__ = ["QUADRATIC", "Custom", "estimated", "numbers", "work"]
QUADRATIC = "gaussian-quadratic:dim=2"


def work(estimator: str | Estimator, problem: str | Problem = QUADRATIC, num_samples: int = 2, **more: Any) -> Workload:
    made = make_problem(problem) if isinstance(problem, str) else problem
    return prepare(made, make_estimator(estimator) if isinstance(estimator, str) else estimator, num_samples, **more)


def estimated(workload: Workload, **stop: Any) -> Measurement:
    return estimate(workload, find_reference(workload), Stop(**stop))


def numbers(found: Measurement) -> dict[str, Any]:
    """All that does not depend on the clock, as JSON text that compares NaN with NaN."""
    row = {key: value for key, value in found.row().items() if key not in ("statistics_seconds", "fit_seconds")}
    return {key: json.dumps(value) for key, value in row.items()} | {"parameters": json.dumps(found.parameters())}


@dataclass(frozen=True)
class Custom(Problem):
    """A user's problem with data of its own, which does not know its expected cost."""

    file: str = ""
    centre: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        centre = float(Path(self.file).read_text()) if self.file else 0.0
        object.__setattr__(self, "centre", torch.tensor(centre, dtype=torch.float64))

    def initial_params(self) -> Params:
        return {"loc": torch.ones(2, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return ((x - self.centre) ** 2).sum(-1)
