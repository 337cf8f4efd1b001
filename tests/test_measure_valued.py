"""The measure-valued estimator against exact variances, its counts, refusals and blocks."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributions as td
from moving_costs import MovingTarget
from scipy import stats
from torch import Tensor
from unregistered_problems import FixedScale, GammaRate, OneWord, WeibullScale, Words

from estimators.interface import Estimator, Params, Problem, Unsupported
from estimators.measure_valued import coordinates
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

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
