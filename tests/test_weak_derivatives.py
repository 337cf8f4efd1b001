"""Weak derivatives against the densities that they decompose."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats
from torch import Tensor

from estimators.noise import IID
from estimators.sampling.family import registered_families
from estimators.sampling.weak_derivatives import Pair

COUPLINGS = [True, False]
WEAK_DERIVATIVES = {kind: family.weak_derivatives for kind, family in registered_families().items()}


class DoubleMaxwell(stats.rv_continuous):
    """Density z² φ(z)."""

    def _pdf(self, x):
        return x**2 * stats.norm.pdf(x)

    def _cdf(self, x):
        return stats.norm.cdf(x) - x * stats.norm.pdf(x)


@dataclass(frozen=True)
class Law:
    """A parameter of a distribution, and the two laws that its weak derivative must have."""

    family: Callable[..., td.Distribution]
    parameters: dict[str, float]
    name: str
    positive: Any
    negative: Any

    def __str__(self) -> str:
        return f"{self.family.__name__}-{self.name}"

    def distribution(self) -> Any:
        """Batch `[1]`, in which the parameter requires a gradient."""
        tensors = {name: torch.tensor([value], dtype=torch.float64) for name, value in self.parameters.items()}
        tensors[self.name].requires_grad_()
        return self.family(**tensors)

    def pair(self) -> Pair:
        found = WEAK_DERIVATIVES[self.family][self.name]  # type: ignore[index]
        assert isinstance(found, Pair)
        return found

    def draw(self, coupled: bool, number: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
        """Values of x⁺ and of x⁻."""
        q, pair = self.distribution(), self.pair()
        noise = pair.noise(q, number, IID(0, dtype=torch.float64), coupled)
        points = pair.points(q, noise, torch.zeros(number, 1, dtype=torch.float64)).detach()
        return points[0, :, 0].numpy(), points[1, :, 0].numpy()


ROOT_2 = math.sqrt(2)
LAWS = [
    Law(
        td.Normal,
        {"loc": 0.3, "scale": 0.7},
        "loc",
        stats.weibull_min(2, 0.3, 0.7 * ROOT_2),
        stats.weibull_max(2, 0.3, 0.7 * ROOT_2),
    ),
    Law(td.Normal, {"loc": 0.3, "scale": 0.7}, "scale", DoubleMaxwell()(0.3, 0.7), stats.norm(0.3, 0.7)),
    Law(td.Exponential, {"rate": 1.7}, "rate", stats.expon(0, 1 / 1.7), stats.gamma(2, 0, 1 / 1.7)),
    Law(
        td.Gamma,
        {"concentration": 2.3, "rate": 1.4},
        "rate",
        stats.gamma(2.3, 0, 1 / 1.4),
        stats.gamma(3.3, 0, 1 / 1.4),
    ),
    Law(
        td.Weibull,
        {"scale": 1.3, "concentration": 1.6},
        "scale",
        stats.gengamma(2, 1.6, 0, 1.3),
        stats.weibull_min(1.6, 0, 1.3),
    ),
    Law(td.Poisson, {"rate": 2.1}, "rate", stats.poisson(2.1, 1), stats.poisson(2.1)),
    Law(td.Bernoulli, {"probs": 0.3}, "probs", stats.bernoulli(1), stats.bernoulli(0)),
]
each_law = pytest.mark.parametrize("law", LAWS, ids=str)


def test_every_pair_of_the_table_has_its_laws() -> None:
    pairs = {(q, name) for q, found in WEAK_DERIVATIVES.items() for name, one in found.items() if isinstance(one, Pair)}
    assert pairs == {(law.family, law.name) for law in LAWS}


@each_law
def test_the_two_laws_make_the_derivative_of_the_density(law: Law) -> None:
    """∂q = c (p⁺ − p⁻), point by point, so that it holds for every cost."""
    discrete = law.family.support.is_discrete  # type: ignore[attr-defined]
    x = np.arange(2.0 if law.family is td.Bernoulli else 30.0) if discrete else np.linspace(-4, 5, 180)
    x = x if law.family is td.Normal or discrete else x[x > 0]

    def density(value: Tensor) -> Tensor:
        return law.family(**{**law.parameters, law.name: value}).log_prob(torch.from_numpy(x)).exp()

    slope = torch.autograd.functional.jacobian(density, torch.tensor(law.parameters[law.name], dtype=torch.float64))
    positive, negative = (getattr(side, "pmf" if discrete else "pdf")(x) for side in (law.positive, law.negative))
    expected = law.pair().coefficient(law.distribution()).item() * (positive - negative)
    np.testing.assert_allclose(np.asarray(slope), expected, rtol=1e-9, atol=1e-12)


@each_law
@pytest.mark.parametrize("coupled", COUPLINGS)
def test_points_follow_the_two_laws(law: Law, coupled: bool) -> None:
    for x, expected in zip(law.draw(coupled), (law.positive, law.negative), strict=True):
        if law.family is td.Bernoulli:
            assert (x == expected.mean()).all()
        elif law.family is td.Poisson:
            seen = np.array([*((x == n).sum() for n in range(9)), (x >= 9).sum()])
            odds = np.array([*expected.pmf(np.arange(9)), expected.sf(8)])
            assert seen[odds == 0].sum() == 0
            assert stats.chisquare(seen[odds > 0], odds[odds > 0] * len(x)).pvalue > 1e-3
        else:
            assert stats.kstest(x, expected.cdf).pvalue > 1e-3


@each_law
@pytest.mark.parametrize("coupled", COUPLINGS)
@pytest.mark.parametrize("cost", [np.square, np.cos, np.tanh])
def test_the_mean_difference_is_that_of_the_laws(law: Law, coupled: bool, cost: Callable) -> None:
    plus, minus = law.draw(coupled)
    difference = cost(plus) - cost(minus)
    expected = law.positive.expect(cost) - law.negative.expect(cost)
    assert abs(difference.mean() - expected) <= 4 * difference.std() / math.sqrt(len(plus)) + 1e-9


@each_law
def test_only_coupled_pairs_are_dependent(law: Law) -> None:
    if law.family is td.Bernoulli:
        pytest.skip("its pair has no noise")
    for coupled in COUPLINGS:
        correlation = np.corrcoef(*law.draw(coupled))[0, 1]
        assert abs(correlation) > 0.5 if coupled else abs(correlation) < 4 / math.sqrt(200_000)
