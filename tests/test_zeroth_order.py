"""Finite differences, SPSA and evolution strategies against the expectations that their biases are made of."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.distributions as td
from moving_costs import MovingTarget
from perturbed_costs import NAMES, Trials, measured, work
from torch import Tensor

from estimators.interface import Params, Problem, Unsupported
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.zeroth_order import finite_differences
from estimators.zeroth_order.perturbations import flatten, outside_the_domain

pytestmark = pytest.mark.usefixtures("small_chunks")


def test_finite_differences_of_a_quadratic_are_exact_in_loc_and_known_in_log_scale() -> None:
    """(μ + e^l ε)²: 2(μ + σε) in μ; 2μσε sinh(h)/h + σ²ε² sinh(2h)/h in l."""
    step = 0.3
    made = work("gaussian-quadratic:dim=3,log_scale=0.4", f"finite-differences:step={step}", 4, "float64")
    noise = made.draw(IID(0, dtype=torch.float64), 5)
    found = made.gradient(made.params(5), noise)
    scale = math.exp(0.4)
    torch.testing.assert_close(found["loc"], 2 * (1 + scale * noise).mean(0), rtol=1e-10, atol=1e-10)
    first, second = math.sinh(step) / step, math.sinh(2 * step) / step
    expected = (2 * scale * noise * first + scale**2 * noise**2 * second).mean(0)
    torch.testing.assert_close(found["log_scale"], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("step", [0.2, 0.5])
def test_without_common_noise_the_variance_is_that_of_both_costs_over_the_step(step: float) -> None:
    """(Var f₊ + Var f₋) / 4h²S, where Var Σx² = Σ (4μ²σ² + 2σ⁴)."""
    made = work("gaussian-quadratic:dim=2", f"finite-differences:common_noise=false,step={step}", 4)
    found = measured(made)

    def variance(loc: float, scale: float) -> float:
        return 4 * loc**2 * scale**2 + 2 * scale**4

    for name, sides in (
        ("loc", [(1 + step, 1.0), (1 - step, 1.0)]),
        ("log_scale", [(1.0, math.exp(step)), (1.0, math.exp(-step))]),
    ):
        expected = sum(variance(*side) + variance(1.0, 1.0) for side in sides) / (4 * step**2 * 4)
        low, high = np.asarray(found.variance_low[name]), np.asarray(found.variance_high[name])
        error = np.log(high / low) / 2 / 1.998
        assert (np.abs(np.log(np.asarray(found.variance[name]) / expected)) < 4 * error).all()


@pytest.mark.parametrize("name", ["spsa", "evolution-strategies"])
@pytest.mark.parametrize("antithetic", [True, False])
def test_random_directions_sample_by_sample(name: str, antithetic: bool) -> None:
    """Against a loop over samples and replicates."""
    made = work("gaussian-cosine:dim=2", f"{name}:antithetic={str(antithetic).lower()}", 6, "float64")
    params = {name: value + torch.linspace(0, 1, 3)[:, None] for name, value in made.params(3).items()}
    noise = made.draw(IID(0, dtype=torch.float64), 3)
    found = flatten(made.gradient(params, noise))
    theta, directions, step = flatten(params), noise["directions"], 0.2
    assert directions.shape == (3 if antithetic else 6, 3, 4)

    def cost(point: Tensor, base: Tensor) -> Tensor:
        return (point[:2] + point[2:].exp() * base).cos().sum()

    for row in range(3):
        terms = []
        for sample, direction in enumerate(directions[:, row]):
            up = cost(theta[row] + step * direction, noise["x"][sample, row])
            if antithetic:
                assert torch.equal(noise["x"][sample], noise["x"][sample + 3]), "both sides share the noise"
                down = cost(theta[row] - step * direction, noise["x"][sample, row])
                terms.append((up - down) / (2 * step) * direction)
            else:
                terms.append(up / step * direction)
        torch.testing.assert_close(found[row], torch.stack(terms).mean(0), rtol=1e-10, atol=1e-10)


def test_directions_have_mean_zero_and_identity_covariance() -> None:
    for name in ("spsa", "evolution-strategies"):
        made = make_estimator(name)
        found = made.directed((4, 100_000, 2), IID(0, dtype=torch.float64)).flatten(0, 1)  # type: ignore[attr-defined]
        moments = torch.stack([found[:, 0], found[:, 1], found[:, 0] * found[:, 1], found[:, 0] ** 2 - 1])
        assert (moments.mean(1).abs() <= 4 * moments.std(1) / math.sqrt(400_000)).all()
        assert name != "spsa" or (found.abs() == 1).all()


def test_pairs_have_noise_of_their_own_where_it_depends_on_the_parameters() -> None:
    made = work("poisson-quadratic:dim=2", "spsa", 4)
    x = made.draw(IID(0), 50)["x"]
    assert x.shape == (4, 50, 2)
    assert not torch.equal(x[:2], x[2:])


def test_common_noise_is_drawn_once_and_other_noise_at_every_point() -> None:
    common = work("gaussian-quadratic:dim=3", "finite-differences", 4)
    assert common.draw(IID(0), 5).shape == (4, 5, 3)
    apart = work("gaussian-quadratic:dim=3", "finite-differences:common_noise=false", 4)
    (noise,) = apart.draw(IID(0), 5)
    assert noise.shape == (4, 12, 5, 3)
    assert len(torch.unique(noise)) == noise.numel()


@pytest.mark.parametrize("elements", [1, 100, 300])
def test_blocks_change_nothing(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = work("gaussian-cosine:dim=3", "finite-differences", 4, "float64")
    params, noise = made.params(5), made.draw(IID(0, dtype=torch.float64), 5)
    whole = made.estimator.surrogate(made.problem, params, noise), made.gradient(params, noise)
    monkeypatch.setattr(finite_differences, "BLOCK_ELEMENTS", elements)
    torch.testing.assert_close(made.estimator.surrogate(made.problem, params, noise), whole[0])
    torch.testing.assert_close(made.gradient(params, noise), whole[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [0.0, -0.1, math.nan, math.inf])
def test_step_must_be_positive_and_finite(name: str, step: float) -> None:
    with pytest.raises(ValueError, match="step_size must be positive and finite"):
        type(make_estimator(name))(step_size=step)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="step"):
        make_estimator(f"{name}:step={step}")


@pytest.mark.parametrize(
    ("estimator", "problem", "num_samples", "reason"),
    [
        ("finite-differences", "poisson-quadratic:dim=1", 1, "noise of Poisson depends on the parameters"),
        ("finite-differences", "gamma-cost:dim=1", 1, "try common_noise=false"),
        ("finite-differences", Trials(), 1, "noise of Geometric depends on the parameters"),
        ("finite-differences", "gaussian-quadratic:dim=513", 1, "at most 1024 parameter entries, not 1026"),
        ("finite-differences:common_noise=false", "gaussian-quadratic:dim=129", 1, "at most 256 parameter entries"),
        ("spsa", "gaussian-quadratic:dim=2", 3, "even num_samples, not 3"),
        ("evolution-strategies", "gaussian-quadratic:dim=2", 1, "even num_samples, not 1"),
        ("stratified:base=spsa", "gaussian-quadratic:dim=2", 4, "spsa does not draw its samples one by one"),
        ("stratified:base=evolution-strategies", "gaussian-quadratic:dim=2", 4, "does not draw its samples one by one"),
        ("stratified:base=(finite-differences:common_noise=false)", Trials(), 4, "takes no structured noise"),
    ],
)
def test_refusals(estimator: str, problem: Problem | str, num_samples: int, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        work(problem, estimator, num_samples)


@dataclass(frozen=True)
class NarrowScale(MovingTarget):
    """The scale itself is the parameter."""

    def initial_params(self) -> Params:
        return {"loc": torch.ones(1, dtype=torch.float64), "scale": torch.full((1,), 0.1, dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Normal(params["loc"], params["scale"]), 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_out_of_the_domain_is_refused(name: str) -> None:
    with pytest.raises(Unsupported, match=r"a step of 0.2 leads .* that Normal does not accept"):
        work(NarrowScale(), name, 2)
    work(NarrowScale(), f"{name}:step=0.05", 2)
    assert outside_the_domain(NarrowScale(), torch.tensor([[5.0, 0.0]], dtype=torch.float64), 0.2) is None


@pytest.mark.parametrize("name", ["finite-differences", "spsa", "evolution-strategies"])
def test_the_step_of_a_training_is_no_option(name: str) -> None:
    """An option called `step` once stood in the way of the method."""
    problem, estimator = make_problem("gaussian-quadratic:dim=2"), make_estimator(f"{name}:step=0.02")
    assert estimator.spec == f"{name}:step_size=0.02"
    params = {key: value.requires_grad_() for key, value in problem.initial_params().items()}
    loss, after = estimator.step(problem, params, num_samples=4)
    loss.backward()
    assert after == estimator and all(value.grad is not None and value.grad.any() for value in params.values())
