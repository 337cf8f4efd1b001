"""Proposals: for every family, how much wider, or how far away, in units of its own scale."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from estimators.sampling.distributions.logistic import Logistic
from estimators.sampling.family import registered_families
from estimators.sampling.proposals import shifted, widened

FACTOR, DEVIATIONS = 1.5, 0.7
WIDENED = [kind for kind, family in registered_families().items() if family.widened]
SHIFTED = [kind for kind, family in registered_families().items() if family.shifted]


def t(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


TRIANGLE = torch.tensor([[0.5, 0.0], [0.3, 0.8]], dtype=torch.float64)

FAMILIES: dict[type[td.Distribution], Any] = {
    td.Normal: td.Normal(t(1.0, -2.0), t(0.5, 3.0)),
    td.LogNormal: td.LogNormal(t(1.0, -2.0), t(0.5, 0.3)),
    td.Laplace: td.Laplace(t(1.0, -2.0), t(0.5, 3.0)),
    Logistic: Logistic(t(1.0, -2.0), t(0.5, 3.0)),
    td.Gumbel: td.Gumbel(t(1.0, -2.0), t(0.5, 3.0)),
    td.StudentT: td.StudentT(t(4.0, 9.0), t(1.0, -2.0), t(0.5, 3.0)),
    td.MultivariateNormal: td.MultivariateNormal(t(1.0, -2.0), scale_tril=TRIANGLE),
    td.Exponential: td.Exponential(t(0.5, 3.0)),
    td.Gamma: td.Gamma(t(0.5, 3.0), t(2.0, 4.0)),
    td.Weibull: td.Weibull(t(0.5, 3.0), t(2.0, 4.0)),
    td.Beta: td.Beta(t(2.0, 0.5), t(3.0, 4.0)),
    td.Dirichlet: td.Dirichlet(t(2.0, 0.5, 3.0)),
    td.VonMises: td.VonMises(t(1.0, -2.0), t(0.5, 80.0)),
    td.Poisson: td.Poisson(t(0.5, 3.0)),
    td.Bernoulli: td.Bernoulli(logits=t(0.5, -3.0)),
    td.Categorical: td.Categorical(logits=t(0.5, -3.0, 1.0)),
    td.OneHotCategorical: td.OneHotCategorical(logits=t(0.5, -3.0, 1.0)),
    td.MixtureSameFamily: td.MixtureSameFamily(
        td.Categorical(logits=t(0.5, -1.0)), td.Independent(td.Normal(t(1.0, -2.0)[:, None], t(0.5, 3.0)[:, None]), 1)
    ),
}
"""One of each kind that has a proposal."""


def deviation(q: Any) -> Tensor:
    return q.variance.sqrt()


def on_the_log_scale(q: Any) -> Tensor:
    return deviation(q.base_dist)


def dispersion(q: Any) -> Tensor:
    """Of a Beta or a Dirichlet, whose means do not change."""
    return 1 / (q.concentration1 + q.concentration0 if isinstance(q, td.Beta) else q.concentration.sum(-1))


def temperature(q: Any) -> Tensor:
    """One over the log odds of neighbouring states."""
    states = t(0.0, 1.0).unsqueeze(-1) if isinstance(q, td.Bernoulli) else q.enumerate_support()
    return torch.stack([1 / (q.log_prob(b) - q.log_prob(a)) for a, b in pairwise(states)])


WIDTH: dict[type[td.Distribution], Callable[[Any], Tensor]] = {
    **dict.fromkeys(FAMILIES, deviation),
    td.LogNormal: on_the_log_scale,
    td.Beta: dispersion,
    td.Dirichlet: dispersion,
    td.VonMises: lambda q: q.concentration.rsqrt(),
    td.Poisson: lambda q: q.rate,
    td.MixtureSameFamily: lambda q: deviation(q.component_distribution),
    **dict.fromkeys((td.Bernoulli, td.Categorical, td.OneHotCategorical), temperature),
}
"""What a factor multiplies: mostly the standard deviation."""

CENTRE: dict[type[td.Distribution], Callable[[Any], Tensor]] = {
    **dict.fromkeys(FAMILIES, lambda q: q.mean),
    td.LogNormal: lambda q: q.base_dist.mean,
    td.MixtureSameFamily: lambda q: q.component_distribution.mean,
    td.VonMises: lambda q: q.loc,
}


def test_every_proposal_is_tested() -> None:
    assert FAMILIES.keys() == {*WIDENED, *SHIFTED}


@pytest.mark.parametrize("kind", WIDENED, ids=lambda kind: kind.__name__)
def test_a_widened_proposal_is_wider_by_the_factor(kind: type[td.Distribution]) -> None:
    q = FAMILIES[kind]
    wide = widened(q, FACTOR)
    assert type(wide) is kind
    torch.testing.assert_close(WIDTH[kind](wide), FACTOR * WIDTH[kind](q))


@pytest.mark.parametrize(
    "kind",
    [kind for kind in WIDENED if kind in SHIFTED or kind in (td.VonMises, td.Beta, td.Dirichlet, td.MixtureSameFamily)],
    ids=lambda kind: kind.__name__,
)
def test_a_widened_proposal_stays_where_it_is(kind: type[td.Distribution]) -> None:
    q = FAMILIES[kind]
    if kind is td.Gumbel:  # its mean moves with the scale, its mode does not
        torch.testing.assert_close(widened(q, FACTOR).loc, q.loc)  # type: ignore[attr-defined]
    else:
        torch.testing.assert_close(CENTRE[kind](widened(q, FACTOR)), CENTRE[kind](q))


@pytest.mark.parametrize("kind", [td.Gamma, td.Weibull], ids=lambda kind: kind.__name__)
def test_a_widened_proposal_keeps_its_shape(kind: type[td.Distribution]) -> None:
    q = FAMILIES[kind]
    torch.testing.assert_close(widened(q, FACTOR).mean, FACTOR * q.mean)


def test_a_widened_mixture_keeps_its_weights() -> None:
    q = FAMILIES[td.MixtureSameFamily]
    wide = widened(q, FACTOR)
    assert isinstance(wide, td.MixtureSameFamily)
    torch.testing.assert_close(wide.mixture_distribution.probs, q.mixture_distribution.probs)


@pytest.mark.parametrize("kind", SHIFTED, ids=lambda kind: kind.__name__)
def test_a_shifted_proposal_moves_by_its_scale(kind: type[td.Distribution]) -> None:
    """By DEVIATIONS along every axis of the noise: the rows of the triangle added up."""
    q = FAMILIES[kind]
    moved = shifted(q, DEVIATIONS)
    assert type(moved) is kind
    scale = TRIANGLE @ t(1.0, 1.0) if kind is td.MultivariateNormal else q.scale
    torch.testing.assert_close(CENTRE[kind](moved) - CENTRE[kind](q), DEVIATIONS * scale)
    torch.testing.assert_close(WIDTH[kind](moved), WIDTH[kind](q))


def test_what_is_independent_stays_so() -> None:
    q = td.Independent(td.Normal(t(1.0, -2.0), t(0.5, 3.0)), 1)
    for found in (widened(q, FACTOR), shifted(q, DEVIATIONS)):
        assert isinstance(found, td.Independent) and found.event_shape == (2,)


def test_a_family_without_a_proposal() -> None:
    with pytest.raises(ValueError, match="there is no shifted proposal for Poisson"):
        shifted(FAMILIES[td.Poisson], DEVIATIONS)
    with pytest.raises(ValueError, match="there is no widened proposal for Cauchy"):
        widened(td.Independent(td.Cauchy(t(0.0), t(1.0)), 1), FACTOR)
