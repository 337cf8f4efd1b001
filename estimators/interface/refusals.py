"""Sentences that say why a component cannot be used, for reasons that several share; None: it can be used."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface.params import Params, derivative
from estimators.interface.problem import Problem, start
from estimators.noise import IID
from estimators.sampling import families
from estimators.sampling.families import unwrap
from estimators.sampling.family import is_binary
from estimators.sampling.supports import moves_its_support
from estimators.sampling.unchecked import without_validation

__all__ = [
    "at_least",
    "binary",
    "differentiable",
    "differentiable_samples",
    "even",
    "passes_derivatives",
    "score",
]

FEW = 8
"""Samples that a trial takes."""
ROUNDING = 1e-4
"""The part of the largest entry of the score below which another is taken for rounding."""


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


def passes_derivatives(problem: Problem) -> str | None:
    """Refuses a cost that no derivative goes through at all; through one with jumps goes one, but a biased one."""
    return f"no derivative goes through the cost of {problem.spec}, which leaves torch" if problem.opaque else None


def differentiable_samples(problem: Problem, form: str = "auto") -> str | None:
    """Refuses samples that are not differentiable in the parameters, or whose derivative fails when it is tried."""

    def derivative_of_samples(q: Distribution, leaves: Params, dtype: torch.dtype) -> str | None:
        if not families.find(q, form).differentiable:
            return f"samples of {_kind(q)} are not differentiable in its parameters"
        x = families.sample(q, families.noise(q, FEW, IID(0, dtype=dtype), form), form)
        lost = _without(derivative(x.sum(), leaves), q, x.detach(), leaves)
        named = ", ".join(lost)
        return f"samples of {_kind(q)} have no derivative in {named}, on which its density depends" if lost else None

    return _tried(problem, "samples", form, derivative_of_samples)


def score(problem: Problem) -> str | None:
    """Refuses a score whose mean is not zero since the support of q moves, or that fails when it is tried."""

    def mean_zero(q: Distribution, leaves: Params, dtype: torch.dtype) -> str | None:
        if moves_its_support(q, list(leaves.values())):
            return f"the support of {_kind(q)} moves with its parameters, so that the score does not have mean zero"
        return None

    def score_of_samples(q: Distribution, leaves: Params, dtype: torch.dtype) -> None:
        drawn = families.drawn(q, families.noise(q, FEW, IID(0, dtype=dtype)))
        derivative(drawn.log_prob(q).sum(), leaves)

    moves = _tried(problem, "the support", "", mean_zero, torch.float64)
    return moves or _tried(problem, "the density", "", score_of_samples)


def _without(slopes: Params, q: Distribution, x: Tensor, leaves: Params) -> list[str]:
    """The parameters in which samples have no derivative at all, although their density has."""
    still = [name for name, slope in slopes.items() if not slope.any()]
    if not still:
        return []
    try:
        scores = {name: float(value.abs().max()) for name, value in _score(q, x, leaves).items() if value.numel()}
    except Exception:  # it is no density's turn to be refused here
        return []
    return [name for name in still if scores.get(name, 0.0) > ROUNDING * max(scores.values())]


def _score(q: Distribution, x: Tensor, leaves: Params) -> Params:
    return derivative(families.log_prob(q, x).sum(), leaves)


Trial = Callable[[Distribution, Params, torch.dtype], str | None]
"""A reason against q, made of leaves at the start in a dtype; what it raises is one, too."""


def _kind(q: Distribution) -> str:
    return type(unwrap(q)).__name__


def _tried(problem: Problem, what: str, form: str, trial: Trial, dtype: torch.dtype | None = None) -> str | None:
    """What a trial says of a problem, once for each dtype; by default in that of the measurement."""
    dtype = problem.measured_in if dtype is None else dtype
    key = type(problem), what, form, dtype
    if key not in problem.trials:
        leaves = {name: value.to(dtype).requires_grad_() for name, value in start(problem).items()}
        with warnings.catch_warnings(action="ignore"), torch.enable_grad(), without_validation():
            try:
                q = problem.on_least_data.to("cpu", dtype).distribution(leaves)
                problem.trials[key] = trial(q, leaves, dtype)
            except Exception as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                kind, of = _kind(problem.on_least_data.initial_distribution), str(dtype).removeprefix("torch.")
                problem.trials[key] = f"{what} of {kind} cannot be differentiated in {of}: {reason}"
    return problem.trials[key]
