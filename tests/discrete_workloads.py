"""Small problems with discrete x in float64, and measurements of them."""

import math

from estimators.interface import Estimator, Problem
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

__all__ = ["TOY", "TOYS", "log_error", "measured", "workload"]

TOY = "bernoulli-toy:dim=3,logit=0.5,t=0.1"
TOYS = (TOY, "bernoulli-shared-logit", "bernoulli-shared-logit:logit=-4", "categorical-toy")


def workload(problem: str | Problem, estimator: str | Estimator, num_samples: int) -> Workload:
    made = make_problem(problem) if isinstance(problem, str) else problem
    chosen = make_estimator(estimator) if isinstance(estimator, str) else estimator
    return prepare(made, chosen, num_samples, dtype="float64")


def measured(work: Workload, replicates: int = 200_000) -> Measurement:
    return estimate(work, find_reference(work), Stop(replicates=replicates))


def log_error(found: Measurement) -> float:
    return math.log(found.total_variance.high / found.total_variance.low) / 2 / 1.998
