"""Bonnet's and Price's theorems: moments of first and second derivatives in place of the noise."""

from collections.abc import Callable

import pytest
import torch
from moving_costs import MovingTarget
from test_known_variances import errors_away, measured
from torch import Tensor

from estimators.interface import Params, Problem, replicated
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.problems.gaussian import DiagonalGaussian
from experiments.sweep import Stop

PRICE = "bonnet-price"


def test_the_noise_of_the_slopes_alone_is_left_on_a_quadratic() -> None:
    """f = x², σ = 1: 2x has the variance 4 a sample, and σ² f″ has none, where 2xε of pathwise has 12 at μ = 1."""
    price = measured("gaussian-quadratic:dim=1", PRICE, 4, 20_000)
    assert errors_away(price, "loc", 4 / 4) < 4
    assert price.variance["log_scale"].item() < 1e-12
    assert errors_away(measured("gaussian-quadratic:dim=1", "pathwise", 4, 20_000), "log_scale", 12 / 4) < 4


def test_where_curvature_varies_more_than_slope_it_has_more_noise_than_pathwise() -> None:
    price, path = (measured("gaussian-exponential:dim=1", spec, 4, 20_000) for spec in (PRICE, "pathwise"))
    assert price.variance["log_scale"].item() > 4 * path.variance["log_scale"].item()


@pytest.mark.parametrize(
    "problem",
    [
        "gaussian-cosine:dim=2",
        "gaussian-exponential:dim=3,k=0.3,log_scale=0.5",
        "gaussian-full-covariance:dim=3",
        "linear-gaussian:dim=2,perturbation=1,points=2",
        "digits-vae:hidden=2,latent=1,points=2",
        MovingTarget(),
    ],
    ids=str,
)
def test_the_gradient_follows_by_the_chain_rule(problem: str | Problem) -> None:
    made = make_problem(problem) if isinstance(problem, str) else problem
    work = prepare(made, make_estimator(PRICE), 4, dtype="float64")
    found = estimate(work, find_reference(work), Stop(replicates=10_000))
    assert found.verdict != "biased" and found.detectable_bias is not None and found.detectable_bias < 0.2


def test_a_full_covariance_has_no_noise_on_a_quadratic() -> None:
    made = make_problem("gaussian-full-covariance:dim=3")
    params = replicated(made.initial_params(), 5)
    estimator, exact = make_estimator(PRICE), made.exact_gradient(params)
    found = estimator.gradient(made, params, estimator.draw(made, params, 2, IID(0, dtype=torch.float64)))
    assert exact is not None
    torch.testing.assert_close(found["cholesky"], exact["cholesky"])


def of(function: Callable[[Tensor, Tensor], Tensor]) -> Problem:
    """The sum of a function of x and log_scale as the cost."""

    class Of(DiagonalGaussian):
        def cost(self, x: Tensor, params: Params) -> Tensor:
            return function(x, params["log_scale"]).sum(-1)

    return Of(dim=1)


NETWORK = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.LeakyReLU(), torch.nn.Linear(3, 1)).double()


@pytest.mark.parametrize(
    ("function", "jumps"),
    [
        (lambda x, _: x.abs() + torch.relu(x), "abs, relu"),
        (lambda x, _: NETWORK(x.double()), "leaky_relu"),
        (lambda x, _: torch.nn.functional.softplus(x).tanh() + torch.nn.functional.gelu(x), ""),
        (lambda x, log_scale: x**2 * log_scale.clamp(-1, 1), ""),
    ],
)
def test_a_jump_of_the_slope_is_refused(function: Callable[[Tensor, Tensor], Tensor], jumps: str) -> None:
    """Autograd takes the second derivative of |x| for zero. What depends on the parameters alone may do as it likes."""
    why = f"the slope of the cost jumps ({jumps}), which second derivatives do not see" if jumps else None
    problem = of(function)
    assert make_estimator(PRICE).unsupported(problem, 4) == why
    assert make_estimator("pathwise").unsupported(problem, 4) is None
    assert make_estimator("pathwise").unsupported_twice(problem) == why


def test_where_it_does_not_fit_it_says_why() -> None:
    for problem, why in {
        "gamma-cost": "needs a Gaussian distribution, not Gamma",
        "gaussian-step": "needs a cost that is differentiable in x",
        "gaussian-quadratic:dim=65": "takes up to 64 coordinates, not 65",
    }.items():
        assert make_estimator(PRICE).unsupported(make_problem(problem), 4) == f"{PRICE} {why}"
