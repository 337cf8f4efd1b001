"""Bounds of K samples beside what they bound: the gradient of −log p(x), where a problem knows it."""

import math

from estimators.interface import LatentVariableProblem, derivative, replicated
from experiments import statistics
from experiments.gradients.workload import Workload, flatten
from experiments.statistics import Groups, Interval

__all__ = ["evidence_bias"]


def evidence_bias(workload: Workload, groups: Groups) -> dict[str, float]:
    """‖E ĝ + ∇ log p(x)‖² with its 95 % interval; empty where the estimator has no bound, or log p(x) is unknown.

    It falls with K for the model's parameters, and for those of the encoder, on which log p(x) does not depend.
    """
    problem = workload.problem
    if not (workload.estimator.traits.log_weights and isinstance(problem, LatentVariableProblem)):
        return {}
    point = replicated({name: value.double() for name, value in workload.point.items()}, 1)
    point = {name: value.requires_grad_() for name, value in point.items()}
    log_marginal = problem.log_marginal(point)
    if log_marginal is None:
        return {}
    gradient = flatten(derivative(-problem.data_weight * log_marginal.sum(), point))[0].cpu().numpy()
    found = statistics.squared_bias(groups, gradient)
    return Interval.entries("evidence_squared_bias", found) if all(map(math.isfinite, found)) else {}
