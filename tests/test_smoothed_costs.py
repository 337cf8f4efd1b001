"""Zeroth-order estimators against the expectations that their biases are made of."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from moving_costs import MovingTarget
from perturbed_costs import NAMES, Trials, measured, work
from torch import Tensor

from estimators.interface import Problem
from estimators.noise import IID
from estimators.registry import make_problem
from estimators.zeroth_order import finite_differences
from estimators.zeroth_order.perturbations import perturbed
from experiments.measuring.measurement import Measurement

pytestmark = pytest.mark.usefixtures("small_chunks")


def check_means(found: Measurement, expected: dict[str, np.ndarray], precision: float) -> None:
    """Every mean within 4.5 standard errors, none of which is larger than a fraction of the largest mean."""
    largest = max(np.abs(value).max() for value in expected.values())
    for name, value in expected.items():
        error = np.sqrt(np.asarray(found.variance[name]) / found.replicates)
        assert (error <= precision * largest).all(), f"{name}: {error / largest}"
        rounding = 1e-5 * largest
        assert (np.abs(np.asarray(found.mean[name]) - value) <= 4.5 * error + rounding).all(), (
            f"{name}: {found.mean[name]}"
        )


def values(problem: Problem, shifts: Tensor) -> Tensor:
    """F at the initial parameters with each of N shifts `[N, P]`."""
    moved = perturbed({name: value[None] for name, value in problem.initial_params().items()}, shifts[:, None])
    found = problem.exact_cost(moved)
    assert found is not None
    return found


def named(problem: Problem, flat: Tensor) -> dict[str, np.ndarray]:
    start = problem.initial_params()
    parts = flat.split([value.numel() for value in start.values()])
    return {name: part.reshape(start[name].shape).numpy() for name, part in zip(start, parts, strict=True)}


def finite_difference(problem: Problem, step: float) -> dict[str, np.ndarray]:
    basis = torch.eye(sum(value.numel() for value in problem.initial_params().values()), dtype=torch.float64)
    return named(problem, (values(problem, step * basis) - values(problem, -step * basis)) / (2 * step))


def along_directions(problem: Problem, step: float, name: str) -> dict[str, np.ndarray]:
    """E[F(θ + hΔ) Δ] / h over all corners, or by Gauss-Hermite quadrature."""
    nodes, weights = (
        (np.array([-1.0, 1.0]), np.array([0.5, 0.5])) if name == "spsa" else np.polynomial.hermite_e.hermegauss(12)
    )
    entries = sum(value.numel() for value in problem.initial_params().values())
    directions = torch.tensor(list(itertools.product(nodes, repeat=entries)), dtype=torch.float64)
    odds = torch.tensor(list(itertools.product(weights / weights.sum(), repeat=entries)), dtype=torch.float64).prod(1)
    return named(problem, (odds * values(problem, step * directions)) @ directions / step)


PROBLEMS = ["gaussian-cosine:dim=1", "gaussian-exponential:dim=2,k=0.3", "gamma-cost:dim=1,concentration=5", Trials()]


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
@pytest.mark.parametrize("step", [0.2, 0.6])
@pytest.mark.parametrize("common", ["true", "false"])
def test_finite_differences_estimate_the_difference_of_the_expected_cost(
    problem: Problem | str, step: float, common: str
) -> None:
    estimator = f"finite-differences:common_noise={common},step={step}"
    if common == "true" and problem in PROBLEMS[2:]:
        pytest.skip("its noise depends on the parameters")
    made = work(problem, estimator, 16)
    check_means(measured(made, 50_000), finite_difference(made.problem.to("cpu", torch.float64), step), 0.02)


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
@pytest.mark.parametrize(("name", "step"), [("spsa", 0.6), ("spsa", 0.2), ("evolution-strategies", 0.3)])
@pytest.mark.parametrize("antithetic", ["true", "false"])
def test_random_directions_estimate_the_gradient_of_the_smoothed_cost(
    problem: Problem | str, name: str, step: float, antithetic: str
) -> None:
    made = work(problem, f"{name}:antithetic={antithetic},step={step}", 64)
    found = measured(made, 45_056)
    check_means(found, along_directions(made.problem.to("cpu", torch.float64), step, name), 0.02)


@pytest.mark.parametrize("name", ["spsa", "evolution-strategies"])
def test_the_bias_has_the_stated_leading_term(name: str) -> None:
    """h²/6 (∂ⱼ³F + 3 Σ ∂ⱼ∂ₖ²F) and h²/2 Σ ∂ⱼ∂ₖ²F, up to O(h⁴), of F = cos(μ) exp(−σ²/2)."""
    problem = make_problem("gaussian-cosine:dim=1,loc=0.7,log_scale=-0.3")

    def cost(theta: Tensor) -> Tensor:
        found = problem.exact_cost({"loc": theta[:1, None], "log_scale": theta[1:, None]})
        assert found is not None
        return found.sum()

    def total_curvature(theta: Tensor) -> Tensor:
        hessian = torch.autograd.functional.hessian(cost, theta, create_graph=True)
        assert isinstance(hessian, Tensor)
        return hessian.trace()

    theta = torch.tensor([0.7, -0.3], dtype=torch.float64)
    gradient = torch.autograd.functional.jacobian(cost, theta)
    laplacian = torch.autograd.functional.jacobian(total_curvature, theta)
    third = torch.stack([_third(cost, theta, entry) for entry in range(2)])
    leading = laplacian / 2 if name == "evolution-strategies" else (3 * laplacian - 2 * third) / 6
    errors = []
    for step in (0.02, 0.01):
        found = along_directions(problem, step, name)
        bias = torch.tensor([found["loc"].item(), found["log_scale"].item()], dtype=torch.float64) - gradient
        errors.append((bias / step**2 - leading).abs().max().item())
    assert errors[0] < 1e-3 and errors[1] < errors[0] / 3


def _third(cost, theta: Tensor, entry: int) -> Tensor:
    def curvature(point: Tensor) -> Tensor:
        hessian: Any = torch.autograd.functional.hessian(cost, point, create_graph=True)
        return hessian[entry, entry]

    return torch.autograd.functional.jacobian(curvature, theta)[entry]


@pytest.mark.parametrize("estimator", [*NAMES, "finite-differences:common_noise=false"])
def test_a_cost_that_depends_on_the_parameters_keeps_its_direct_term(estimator: str) -> None:
    made = work(MovingTarget(), estimator, 16)
    expected = (
        finite_difference(MovingTarget(), 0.2)
        if estimator.startswith("finite")
        else along_directions(MovingTarget(), 0.2, estimator)
    )
    assert expected["loc"].item() == pytest.approx(0.5)
    check_means(measured(made), expected, 0.01)


@pytest.mark.parametrize("estimator", NAMES)
def test_value_is_the_mean_cost_over_all_points(estimator: str) -> None:
    made = work("gaussian-cosine:dim=1", estimator, 64, "float64")
    noise = made.draw(IID(0, dtype=torch.float64), 20_000)
    value = made.estimator.surrogate(made.problem, made.params(20_000), noise).detach()
    basis = 0.2 * torch.eye(2, dtype=torch.float64)
    corners = 0.2 * torch.tensor(list(itertools.product([-1.0, 1.0], repeat=2)), dtype=torch.float64)
    shifts = {"finite-differences": torch.cat([basis, -basis]), "spsa": corners}
    if estimator in shifts:
        expected = values(made.problem, shifts[estimator]).mean()
    else:
        nodes, weights = np.polynomial.hermite_e.hermegauss(12)
        points = torch.tensor(list(itertools.product(nodes, repeat=2)), dtype=torch.float64)
        odds = torch.tensor([a * b for a, b in itertools.product(weights / weights.sum(), repeat=2)])
        expected = (odds * values(made.problem, 0.2 * points)).sum()
    assert abs(value.mean() - expected) < 4 * value.std() / math.sqrt(20_000)


@pytest.mark.parametrize("problem", ["gaussian-cosine:dim=2,k=1.5", Trials()], ids=str)
def test_blocks_of_noise_make_the_same_estimator(problem: Problem | str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite_differences, "BLOCK_ELEMENTS", 2**16)
    made = work(problem, "finite-differences:common_noise=false", 16)
    assert len(made.draw(IID(0), made.chunk)) == made.size, "one block for each entry"
    check_means(measured(made), finite_difference(made.problem.to("cpu", torch.float64), 0.2), 0.01)


@pytest.mark.parametrize("scheme", ["sobol", "antithetic"])
@pytest.mark.parametrize("base", ["finite-differences", "finite-differences:common_noise=false"])
def test_strata_under_finite_differences(base: str, scheme: str) -> None:
    problem = "gaussian-cosine:dim=2"
    placed = work(problem, f"stratified:base=({base}),scheme={scheme}", 8)
    assert placed.estimator.claim(placed.problem, 8) == "biased"
    found = measured(placed, 50_000)
    check_means(found, finite_difference(placed.problem.to("cpu", torch.float64), 0.2), 0.02)
    assert found.total_variance.high < measured(work(problem, base, 8), 50_000).total_variance.low
