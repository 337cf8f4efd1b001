"""Weak derivatives against the densities that they decompose, and the estimator against exact variances."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributions as td
from cases import MovingTarget
from scipy import stats
from torch import Tensor

from estimators.interface import Estimator, Params, Problem, Unsupported
from estimators.measure_valued import coordinates
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.sampling.family import registered_families
from estimators.sampling.weak_derivatives import Pair
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

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


# Variances


def measured(problem: Problem | str, estimator: str, num_samples: int = 1, replicates: int = 400_000) -> Measurement:
    made = make_problem(problem) if isinstance(problem, str) else problem
    work = prepare(made, make_estimator(estimator), num_samples)
    return estimate(work, find_reference(work), Stop(replicates=replicates))


def errors_away(found: Measurement, name: str, expected: float) -> float:
    """The largest distance of a variance from its exact value on the logarithmic scale, in standard errors."""
    values, low, high = (np.asarray(getattr(found, key)[name]) for key in ("variance", "variance_low", "variance_high"))
    standard_error = np.log(high / low) / 2 / 1.998  # Student's t with 63 degrees of freedom at 97.5 %
    return float((np.abs(np.log(values / expected)) / standard_error).max())


@pytest.mark.parametrize(("loc", "k", "log_scale"), [(1.0, 0.0, 0.0), (0.5, 2.0, -0.5), (0.0, 0.0, 0.3)])
@pytest.mark.parametrize("dim", [1, 3])
def test_gaussian_quadratic(loc: float, k: float, log_scale: float, dim: int) -> None:
    """x ~ N(μ, σ²), f = Σ (x − k)², d = μ − k; in more dimensions the shared coordinates cancel.

    Coupled: loc 4 d W / √2π, E W² = 2; scale E[(2dσ(M−N) + σ²(M²−N²))²]/σ² with N = MU, E M²(1−U)² = 1,
    E M⁴(1−U²)² = 15 · 8/15. Independent: the sum of the variances of both sides, Var W = 2 − π/2, Var W² = 4,
    Var M² = 6; a Rayleigh's third moments cancel.
    """
    d, s = loc - k, math.exp(log_scale)
    problem = f"gaussian-quadratic:dim={dim},loc={loc},k={k},log_scale={log_scale}"
    coupled, independent = measured(problem, "measure-valued"), measured(problem, "measure-valued:coupled=false")
    if d == 0:
        assert (np.asarray(coupled.variance["loc"]) < 1e-10).all()
    else:
        assert errors_away(coupled, "loc", 4 * d**2 * (4 / math.pi - 1)) < 4
    assert errors_away(coupled, "log_scale", s**2 * (4 * d**2 + 4 * s**2)) < 4
    assert errors_away(independent, "loc", 4 * (d**2 * (2 - math.pi / 2) + s**2) / math.pi) < 4
    assert errors_away(independent, "log_scale", s**2 * (16 * d**2 + 8 * s**2)) < 4


@pytest.mark.parametrize("log_rate", [0.0, 0.4])
def test_exponential_quadratic(log_rate: float) -> None:
    """f = x²: −(2 E₁E₂ + E₂²)/λ³ with second moment 64/λ⁶ and mean −4/λ³; apart, (20 + 84)/λ⁶; times λ² for log λ."""
    problem = f"exponential-quadratic:dim=2,log_rate={log_rate}"
    assert errors_away(measured(problem, "measure-valued"), "log_rate", 48 * math.exp(-4 * log_rate)) < 4
    apart = measured(problem, "measure-valued:coupled=false")
    assert errors_away(apart, "log_rate", 104 * math.exp(-4 * log_rate)) < 4


@pytest.mark.parametrize("rate", [0.5, 3.0])
def test_poisson_quadratic(rate: float) -> None:
    """f = (x − 1)²: the difference 2x − 1 has variance 4λ; apart, Var x² + Var (x−1)² by summation."""
    problem = f"poisson-quadratic:dim=2,k=1,rate={rate}"
    assert errors_away(measured(problem, "measure-valued"), "log_rate", rate**2 * 4 * rate) < 4
    law: Any = stats.poisson(rate)
    x, odds = np.arange(80), law.pmf(np.arange(80))
    both = sum((cost**2 * odds).sum() - (cost * odds).sum() ** 2 for cost in (x**2, (x - 1.0) ** 2))
    assert errors_away(measured(problem, "measure-valued:coupled=false"), "log_rate", rate**2 * both) < 4


def test_more_samples_divide_the_variance() -> None:
    found = measured("gaussian-quadratic:dim=2", "measure-valued", num_samples=16, replicates=100_000)
    assert errors_away(found, "loc", 4 * (4 / math.pi - 1) / 16) < 4


# Problems whose distributions no registered problem has


@dataclass(frozen=True)
class GammaRate(Problem):
    """x ~ Gamma(2, exp(log_rate)) in two dimensions, f = x₁ √x₂: only the rate is learned."""

    def initial_params(self) -> Params:
        return {"log_rate": torch.tensor([0.3, -0.2], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        rate = params["log_rate"].exp()
        return td.Independent(td.Gamma(torch.full_like(rate, 2.0).detach(), rate), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x[..., 0] * x[..., 1].sqrt()

    def expected_cost(self, params: Params) -> Tensor:
        return 2 * math.gamma(2.5) * (-params["log_rate"][:, 0] - params["log_rate"][:, 1] / 2).exp()


@dataclass(frozen=True)
class WeibullScale(Problem):
    """x ~ Weibull(exp(log_scale), 1.5), one-dimensional without an event, f = x²."""

    learned_concentration: bool = False

    def initial_params(self) -> Params:
        return {"log_scale": torch.tensor(0.3, dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        scale = params["log_scale"].exp()
        return td.Weibull(scale, scale + 1 if self.learned_concentration else torch.full_like(scale, 1.5).detach())

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x**2

    def expected_cost(self, params: Params) -> Tensor:
        return (2 * params["log_scale"]).exp() * math.gamma(1 + 2 / 1.5)


@dataclass(frozen=True)
class Words(Problem):
    """Two variables of three categories, one-hot or as numbers, f = (a + 2b)(a + 1) − 2ab² of the numbers."""

    one_hot: bool = True

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([[0.1, 0.7, -0.4], [0.5, 0.0, 0.2]], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        family = td.OneHotCategorical if self.one_hot else td.Categorical
        return td.Independent(family(logits=params["logits"]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        number = x @ torch.arange(3.0, dtype=x.dtype) if self.one_hot else x.to(params["logits"].dtype)
        a, b = number[..., 0], number[..., 1]
        return (a + 2 * b) * (a + 1) - 2 * a * b**2

    def support(self, params: Params) -> Tensor:
        states = torch.cartesian_prod(torch.arange(3), torch.arange(3))[:, None].expand(-1, len(params["logits"]), -1)
        return torch.nn.functional.one_hot(states, 3).to(params["logits"].dtype) if self.one_hot else states


@dataclass(frozen=True)
class OneWord(Words):
    """The first of the two variables alone."""

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.OneHotCategorical(logits=params["logits"][:, :1]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x[..., 0, :] * torch.tensor([1.0, 4.0, -2.0], dtype=x.dtype)).sum(-1)

    def support(self, params: Params) -> Tensor:
        return torch.eye(3, dtype=torch.float64)[:, None, None].expand(-1, len(params["logits"]), -1, -1)


@dataclass(frozen=True)
class FixedScale(MovingTarget):
    """`MovingTarget` with a scale that nothing learns."""

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Normal(params["loc"], 0.7), 1)

    def expected_cost(self, params: Params) -> Tensor:
        return (params["loc"] ** 2 / 4 + 0.49).sum(-1)


@pytest.mark.parametrize("coupled", ["true", "false"])
@pytest.mark.parametrize(
    "problem", [GammaRate(), WeibullScale(), Words(), Words(one_hot=False), MovingTarget(), FixedScale()], ids=repr
)
def test_unbiased(problem: Problem, coupled: str) -> None:
    found = measured(problem, f"measure-valued:coupled={coupled}", 8, 300_000)
    assert found.verdict == "unbiased", f"p = {found.p_value}, detectable {found.detectable_bias}"


def test_one_categorical_variable_is_summed_over() -> None:
    """Its expected cost is then the sum over all its states: no variance."""
    work = prepare(OneWord(), make_estimator("measure-valued"), 1, dtype="float64")
    params = work.params(3)
    found, exact = work.gradient(params, work.draw(IID(0, dtype=torch.float64), 3)), OneWord().exact_gradient(params)
    assert exact is not None
    torch.testing.assert_close(found["logits"], exact["logits"], rtol=1e-12, atol=1e-12)


# Counts, refusals, blocks


@pytest.mark.parametrize(
    ("problem", "points"),
    [
        (make_problem("gaussian-quadratic:dim=3"), 3 * 2 * 2),
        (make_problem("bernoulli-shared-logit"), 3 * 2),
        (make_problem("logistic-regression"), 31 * 2 * 2 + 1),
        (GammaRate(), 2 * 2),
        (WeibullScale(), 2),
        (Words(), 2 * 3),
        (Words(one_hot=False), 2 * 3),
        (MovingTarget(), 2 * 2 + 1),
        (FixedScale(), 2 + 1),
    ],
    ids=repr,
)
def test_evaluations(problem: Problem, points: int, monkeypatch: pytest.MonkeyPatch) -> None:
    work = prepare(problem, make_estimator("measure-valued"), 5)
    seen, original = [], type(problem).cost

    def cost(this: Problem, x: Tensor, params: Params) -> Tensor:
        seen.append(x.shape[0])
        return original(this, x, params)

    monkeypatch.setattr(type(problem), "cost", cost)
    work.gradient(work.params(2), work.draw(IID(0), 2))
    assert sum(seen) == work.estimator.evaluations(problem, 5) == 5 * points


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (make_problem("gamma-cost"), "the concentration of Gamma depends on the parameters"),
        (WeibullScale(learned_concentration=True), "the concentration of Weibull depends on the parameters"),
        (make_problem("gaussian-quadratic:dim=1025"), "at most 1024 dimensions, not 1025"),
    ],
    ids=["gamma", "weibull", "dimensions"],
)
def test_refusals(problem: Problem, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        prepare(problem, make_estimator("measure-valued"), 1)


def test_other_distributions_are_refused() -> None:
    @dataclass(frozen=True)
    class Laplace(MovingTarget):
        def distribution(self, params: Params) -> td.Distribution:
            return td.Independent(td.Laplace(params["loc"], params["log_scale"].exp()), 1)

    with pytest.raises(Unsupported, match="no weak derivative of Laplace is known here"):
        prepare(Laplace(), make_estimator("measure-valued"), 1)


@pytest.mark.parametrize("problem", [make_problem("gaussian-quadratic:dim=3"), Words(), Words(one_hot=False)], ids=repr)
@pytest.mark.parametrize("elements", [1, 100, 400])
def test_blocks_change_nothing(problem: Problem, elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    work = prepare(problem, make_estimator("measure-valued"), 4, dtype="float64")
    params, noise = work.params(5), work.draw(IID(0, dtype=torch.float64), 5)
    whole = work.gradient(params, noise)
    monkeypatch.setattr(coordinates, "BLOCK_ELEMENTS", elements)
    for name, value in work.gradient(params, noise).items():
        torch.testing.assert_close(value, whole[name], rtol=1e-12, atol=1e-12)


def test_value_is_the_cost_where_it_is_evaluated_and_else_zero() -> None:
    estimator: Estimator = make_estimator("measure-valued")
    assert estimator.estimates_cost(MovingTarget()) and not estimator.estimates_cost(GammaRate())
    assert not make_estimator("stratified:base=measure-valued").estimates_cost(GammaRate())


@pytest.mark.parametrize("scheme", ["latin-hypercube", "sobol", "systematic", "antithetic"])
def test_strata_place_the_other_coordinates(scheme: str) -> None:
    """The gradient of a non-separable cost, unbiased and less noisy than with independent samples."""
    plain = measured(Words(), "measure-valued", 4, 100_000)
    found = measured(Words(), f"stratified:base=measure-valued,scheme={scheme}", 4, 100_000)
    assert found.verdict == "unbiased"
    assert found.total_variance.high < plain.total_variance.low
