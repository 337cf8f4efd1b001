"""The coefficients of least variance."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, Problem, ScoredSamples, derivative, replicated
from estimators.noise import NoiseSource
from estimators.sampling import families

__all__ = ["least_variance"]

FIT_REPLICATES = 2_000


def least_variance(
    terms: Callable[[ScoredSamples], tuple[Tensor, ...]],
    problem: Problem,
    params: Params,
    num_samples: int,
    source: NoiseSource,
) -> Float[Tensor, " K"]:
    """The coefficients c for which the gradient of terms[0] + Σ c_k terms[k], over samples, has the least variance.

    Least squares over replicates of `num_samples` samples each and over all parameters at once. `params` have R = 1.
    """
    rows = replicated({name: value[0].detach() for name, value in params.items()}, FIT_REPLICATES)
    point = {name: value.requires_grad_() for name, value in rows.items()}
    q = problem.distribution(point)
    with torch.no_grad():
        noise = families.noise(q, num_samples, source)
    parts = []
    for term in terms(ScoredSamples.of(problem, point, families.drawn(q, noise))):
        gradient = derivative(term.mean(0).sum(), point, differentiable=True)  # the terms share a graph
        flat = torch.cat([value.detach().reshape(len(value), -1) for value in gradient.values()], 1).double()
        parts.append((flat - flat.mean(0)).flatten())
    target, *controls = parts
    gram = torch.stack([torch.stack([a @ b for b in controls]) for a in controls])
    wanted = -torch.stack([a @ target for a in controls])
    # A control without variance gets the coefficient zero.
    return (torch.linalg.pinv(gram, hermitian=True) @ wanted).to(next(iter(params.values())).dtype)
