"""Sentences that say why a component cannot be used, for reasons that several share; None: it can be used."""

from estimators.interface.problem import Problem
from estimators.sampling.families import unwrap
from estimators.sampling.family import is_binary

__all__ = ["at_least", "binary", "differentiable", "even"]


def at_least(least: int, num_samples: int, name: str) -> str | None:
    """Refuses fewer samples."""
    return None if num_samples >= least else f"{name} needs num_samples of at least {least}, not {num_samples}"


def even(num_samples: int, name: str, why: str) -> str | None:
    """Refuses samples that do not come in pairs."""
    return None if num_samples % 2 == 0 else f"{name} {why} and needs an even num_samples, not {num_samples}"


def binary(problem: Problem, name: str) -> str | None:
    """Refuses x that is no vector of bits."""
    q = problem.initial_distribution
    return None if is_binary(q) else f"{name} needs binary variables (Bernoulli), not {type(unwrap(q)).__name__}"


def differentiable(problem: Problem, name: str) -> str | None:
    """Refuses a cost that is not differentiable in x."""
    return None if problem.differentiable else f"{name} needs a cost that is differentiable in x"
