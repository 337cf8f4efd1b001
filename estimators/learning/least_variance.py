"""The coefficients of least variance."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, Problem, ScoredSamples, computed_once, derivative, replicated
from estimators.learning.blocks import blocks
from estimators.learning.moving_averages import moved
from estimators.noise import NoiseSource
from estimators.sampling import families

__all__ = ["least_variance", "least_variance_step"]

FIT_REPLICATES = 2_000
FIT_CALLS = 200
"""Replicates where each of their samples is a call of a function outside of torch, which may take long."""
DECAY = 0.99
"""Of the products in training: each step makes one estimate, whose products are far from their mean."""

Terms = Callable[[ScoredSamples], tuple[Tensor, ...]]
Products = Tensor
"""`[R, K, K + 1]`: means of the products of each control's gradient with that of the target, and of the controls."""


def least_variance(
    terms: Terms, problem: Problem, params: Params, num_samples: int, source: NoiseSource
) -> tuple[Float[Tensor, " K"], Products]:
    """The coefficients c for which the gradient of terms[0] + Σ c_k terms[k], over samples, has the least variance.

    Least squares over replicates of `num_samples` samples each and over all parameters at once. They come in blocks,
    whose moments are merged (Chan, Golub & LeVeque 1983). `params` have R = 1.
    """
    replicates = FIT_CALLS if problem.opaque else FIT_REPLICATES
    entries = sum(value.numel() for value in params.values())
    mean, products, before = [], torch.zeros(()), 0
    for block in blocks(replicates, entries):
        new = block.stop - block.start
        gradients = _fresh_gradients(terms, problem, params, num_samples, source, new)
        own = [value.mean(0, keepdim=True) for value in gradients]
        products = products + _products([value - one for value, one in zip(gradients, own, strict=True)]).sum(0)
        if before:
            part = new / (before + new)
            moved_by = [one - other for one, other in zip(own, mean, strict=True)]
            products = products + before * part * _products(moved_by)[0]
            own = [other + part * by for other, by in zip(mean, moved_by, strict=True)]
        mean, before = own, before + new
    products = products.unsqueeze(0) / replicates
    return _coefficients(products)[0].to(next(iter(params.values())).dtype), products


def _fresh_gradients(
    terms: Terms, problem: Problem, params: Params, num_samples: int, source: NoiseSource, replicates: int
) -> list[Float[Tensor, "R P"]]:
    rows = replicated({name: value[0].detach() for name, value in params.items()}, replicates)
    point = {name: value.requires_grad_() for name, value in rows.items()}
    q = problem.distribution(point)
    with torch.no_grad():
        noise = families.noise(q, num_samples, source)
    with computed_once():
        return _gradients(terms, ScoredSamples.of(problem, point, families.drawn(q, noise)))


def least_variance_step(
    terms: Terms, samples: ScoredSamples, past: Products | None
) -> tuple[Float[Tensor, "R K"], Products]:
    """The coefficients of each replicate after a training step, from moving averages of the products.

    The controls have mean zero, so that the mean of the target takes no part.
    """
    point = {name: value.detach().requires_grad_() for name, value in samples.params.items()}
    with torch.enable_grad():
        gradients = _gradients(terms, ScoredSamples.of(samples.problem, point, samples.drawn))
    products = moved(past, _products(gradients), DECAY)
    return _coefficients(products).to(samples.cost.dtype), products


def _gradients(terms: Terms, samples: ScoredSamples) -> list[Float[Tensor, "R P"]]:
    """Of each term, in float64."""
    found = []
    for term in terms(samples):
        gradient = derivative(term.mean(0).sum(), samples.params, differentiable=True)  # the terms share a graph
        found.append(torch.cat([value.detach().reshape(len(value), -1) for value in gradient.values()], 1).double())
    return found


def _products(gradients: list[Float[Tensor, "R P"]]) -> Products:
    stacked = torch.stack(gradients, 1)
    return stacked[:, 1:] @ stacked.mT


def _coefficients(products: Products) -> Float[Tensor, "R K"]:
    # A control without variance gets the coefficient zero.
    return -(torch.linalg.pinv(products[..., 1:], hermitian=True) @ products[..., :1]).squeeze(-1)
