"""Proposal distributions for importance sampling: relatives of a distribution, wider or shifted."""

from collections.abc import Callable
from typing import Any

import torch.distributions as td

from estimators.sampling.missing import Logistic

__all__ = ["shifted", "widened"]


def widened(q: td.Distribution, factor: float) -> td.Distribution:
    """q with its scale multiplied by a factor.

    A discrete q gets its temperature multiplied, a Poisson its rate, a Beta or Dirichlet its concentrations divided.
    """
    return _propose(q, WIDENED, factor)


def shifted(q: td.Distribution, deviations: float) -> td.Distribution:
    """q moved by a number of its scale parameters."""
    return _propose(q, SHIFTED, deviations)


Family = Callable[[Any, float], td.Distribution]


def _propose(q: td.Distribution, table: dict[type[td.Distribution], Family], amount: float) -> td.Distribution:
    """A relative of q from a table by type, inside any `Independent`. ValueError: the table does not have it."""
    if isinstance(q, td.Independent):
        return td.Independent(_propose(q.base_dist, table, amount), q.reinterpreted_batch_ndims)
    if type(q) not in table:
        kind = "widened" if table is WIDENED else "shifted"
        raise ValueError(f"there is no {kind} proposal for {type(q).__name__}")
    return table[type(q)](q, amount)


def _widened_scale(q: Any, factor: float) -> td.Distribution:
    return type(q)(q.loc, q.scale * factor)


def _shifted_loc(q: Any, deviations: float) -> td.Distribution:
    return type(q)(q.loc + q.scale * deviations, q.scale)


WIDENED: dict[type[td.Distribution], Family] = {
    **dict.fromkeys((td.Normal, td.LogNormal, td.Laplace, Logistic, td.Gumbel), _widened_scale),
    td.MultivariateNormal: lambda q, factor: td.MultivariateNormal(q.loc, scale_tril=q.scale_tril * factor),
    td.Exponential: lambda q, factor: td.Exponential(q.rate / factor),
    td.StudentT: lambda q, factor: td.StudentT(q.df, q.loc, q.scale * factor),
    td.Beta: lambda q, factor: td.Beta(q.concentration1 / factor, q.concentration0 / factor),
    td.Dirichlet: lambda q, factor: td.Dirichlet(q.concentration / factor),
    td.VonMises: lambda q, factor: td.VonMises(q.loc, q.concentration / factor**2),
    td.MixtureSameFamily: lambda q, factor: td.MixtureSameFamily(
        q.mixture_distribution, widened(q.component_distribution, factor)
    ),
    td.Gamma: lambda q, factor: td.Gamma(q.concentration, q.rate / factor),
    td.Weibull: lambda q, factor: td.Weibull(q.scale * factor, q.concentration),
    td.Poisson: lambda q, factor: td.Poisson(q.rate * factor),
    td.Bernoulli: lambda q, factor: td.Bernoulli(logits=q.logits / factor),
    td.Categorical: lambda q, factor: td.Categorical(logits=q.logits / factor),
    td.OneHotCategorical: lambda q, factor: td.OneHotCategorical(logits=q.logits / factor),
}

SHIFTED: dict[type[td.Distribution], Family] = {
    **dict.fromkeys((td.Normal, td.LogNormal, td.Laplace, Logistic, td.Gumbel), _shifted_loc),
    td.StudentT: lambda q, deviations: td.StudentT(q.df, q.loc + q.scale * deviations, q.scale),
    td.MultivariateNormal: lambda q, deviations: td.MultivariateNormal(
        q.loc + deviations * q.scale_tril.sum(-1), scale_tril=q.scale_tril
    ),
}
