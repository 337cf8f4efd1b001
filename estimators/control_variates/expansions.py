"""Expansions of the cost, at the other samples or at the mean."""

import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Problem
from estimators.interface.refusals import differentiable
from estimators.sampling.families import unwrap
from estimators.sampling.family import is_circular

__all__ = ["others", "without_mean"]


def others(value: Float[Tensor, "S *any"]) -> Float[Tensor, "S *any"]:
    """The mean over the other samples."""
    return (value.sum(0) - value) / (len(value) - 1)


def without_mean(problem: Problem, name: str) -> str | None:
    """Why an expansion around the mean of x cannot be made, as a sentence; None: it can."""
    if reason := differentiable(problem, name):
        return reason
    q = problem.initial_distribution
    return None if _has_mean(q) else f"{name} needs the mean of x, which {type(unwrap(q)).__name__} does not give"


def _has_mean(q: td.Distribution) -> bool:
    if is_circular(q):  # its `mean` is a direction, not the mean of x
        return False
    try:
        return bool(q.mean.isfinite().all())
    except NotImplementedError:
        return False
