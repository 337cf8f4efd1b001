"""Mini-batches, in which each replicate has data of its own."""

from jaxtyping import Int
from torch import Tensor

from estimators.interface.params import Params
from estimators.interface.problem import Problem

__all__ = ["batch_of", "distinct", "repeated"]


def batch_of(problem: Problem, indices: Int[Tensor, "R B"]) -> Problem:
    """`Problem.batch`, which says of itself that its replicates differ in their data, and knows what was tried."""
    part = problem.batch(indices)
    vars(part)["trials"] = problem.trials
    object.__setattr__(part, "own_data", (problem, indices) if len(indices) > 1 else None)
    return part


def repeated(problem: Problem, times: int) -> Problem:
    """The problem of `times · R` replicates: R of them, with the data that each of them has, and these again."""
    if problem.own_data is None:
        return problem
    whole, indices = problem.own_data
    return batch_of(whole, indices.repeat(times, 1))


def distinct(problem: Problem, params: Params) -> Params:
    """One replicate where all are the same point by construction (`replicated`: stride 0), else all, detached.

    Where each has data of its own, all: what is computed at a point is then another thing for each.
    """
    if problem.own_data is not None:
        return {name: value.detach() for name, value in params.items()}
    return {name: (value[:1] if value.stride(0) == 0 else value).detach() for name, value in params.items()}
