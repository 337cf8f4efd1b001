"""Finite differences, SPSA and evolution strategies against the expectations that their biases are made of."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributions as td
from cases import MovingTarget
from torch import Tensor

from estimators.interface import Params, Problem, Unsupported
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.zeroth_order import finite_differences
from estimators.zeroth_order.perturbations import flatten, outside_the_domain, perturbed
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

pytestmark = pytest.mark.usefixtures("small_chunks")

NAMES = ["finite-differences", "spsa", "evolution-strategies"]


def work(problem: Problem | str, estimator: str, num_samples: int, dtype: str = "float32") -> Workload:
    made = make_problem(problem) if isinstance(problem, str) else problem
    return prepare(made, make_estimator(estimator), num_samples, dtype=dtype)


def measured(made: Workload, replicates: int = 200_000) -> Measurement:
    return estimate(made, None, Stop(replicates=replicates))


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


@dataclass(frozen=True)
class Trials(Problem):
    """x ~ Geometric(sigmoid(logits)), f = Σ x: E = Σ exp(−logits); a distribution with nothing but its own sampler."""

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([0.5, 1.0], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Geometric(logits=params["logits"]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.sum(-1)

    def expected_cost(self, params: Params) -> Tensor:
        return (-params["logits"]).exp().sum(-1)


# What is expected of each estimator, by the exact expected cost F


def values(problem: Problem, shifts: Tensor) -> Tensor:
    """F at the initial parameters with each of N shifts `[N, P]`."""
    moved = perturbed({name: value[None] for name, value in problem.initial_params().items()}, shifts[:, None])
    found = problem.expected_cost(moved)
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
        found = problem.expected_cost({"loc": theta[:1, None], "log_scale": theta[1:, None]})
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


# Identities sample by sample


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
        found = made.directions((4, 100_000, 2), IID(0, dtype=torch.float64)).flatten(0, 1)  # type: ignore[attr-defined]
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


# The cost's own dependence, its value, blocks


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


@pytest.mark.parametrize("elements", [1, 100, 300])
def test_blocks_change_nothing(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = work("gaussian-cosine:dim=3", "finite-differences", 4, "float64")
    params, noise = made.params(5), made.draw(IID(0, dtype=torch.float64), 5)
    whole = made.estimator.surrogate(made.problem, params, noise), made.gradient(params, noise)
    monkeypatch.setattr(finite_differences, "BLOCK_ELEMENTS", elements)
    torch.testing.assert_close(made.estimator.surrogate(made.problem, params, noise), whole[0])
    torch.testing.assert_close(made.gradient(params, noise), whole[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("problem", ["gaussian-cosine:dim=2,k=1.5", Trials()], ids=str)
def test_blocks_of_noise_make_the_same_estimator(problem: Problem | str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite_differences, "BLOCK_ELEMENTS", 2**16)
    made = work(problem, "finite-differences:common_noise=false", 16)
    assert len(made.draw(IID(0), made.chunk)) == made.size, "one block for each entry"
    check_means(measured(made), finite_difference(made.problem.to("cpu", torch.float64), 0.2), 0.01)


# Refusals and options


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [0.0, -0.1, math.nan, math.inf])
def test_step_must_be_positive_and_finite(name: str, step: float) -> None:
    with pytest.raises(ValueError, match="step must be positive and finite"):
        type(make_estimator(name))(step=step)  # type: ignore[call-arg]
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


@pytest.mark.parametrize("scheme", ["sobol", "antithetic"])
@pytest.mark.parametrize("base", ["finite-differences", "finite-differences:common_noise=false"])
def test_strata_under_finite_differences(base: str, scheme: str) -> None:
    problem = "gaussian-cosine:dim=2"
    placed = work(problem, f"stratified:base=({base}),scheme={scheme}", 8)
    assert placed.estimator.claim(placed.problem, 8) == "biased"
    found = measured(placed, 50_000)
    check_means(found, finite_difference(placed.problem.to("cpu", torch.float64), 0.2), 0.02)
    assert found.total_variance.high < measured(work(problem, base, 8), 50_000).total_variance.low
