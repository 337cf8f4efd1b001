"""The relaxation of a problem's x, and why there may be none."""

import math

import torch.distributions as td

from estimators.interface import Problem
from estimators.interface.refusals import differentiable
from estimators.sampling.families import unwrap
from estimators.sampling.family import family_of
from estimators.sampling.relaxation import Relaxation
from estimators.sampling.states import Index

__all__ = ["check_temperature", "refusal_to_relax", "relaxation", "unrelaxed"]


def relaxation(q: td.Distribution) -> Relaxation:
    """The relaxation of a distribution that `unrelaxed` does not refuse."""
    found = family_of(q).relaxation
    assert found is not None
    return found


def unrelaxed(q: td.Distribution) -> str | None:
    """Why a distribution has no relaxation, as a sentence; None: it has one."""
    if family_of(q).relaxation is not None:
        return None
    hint = ", which takes a OneHotCategorical" if isinstance(family_of(q).states, Index) else ""
    return f"there is no relaxation of {type(unwrap(q)).__name__}{hint}"


def refusal_to_relax(problem: Problem) -> str | None:
    """Why the x of a problem cannot be relaxed, as a sentence; None: it can."""
    return unrelaxed(problem.initial_distribution) or differentiable(problem, "a relaxed sample")


def check_temperature(temperature: float) -> None:
    """ValueError: it is not positive and finite."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be positive and finite, not {temperature}")
