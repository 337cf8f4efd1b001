"""Bonnet's and Price's theorems: moments of first and second derivatives in place of the noise."""

from collections.abc import Callable

import pytest
import torch
from moving_costs import MovingTarget
from test_known_variances import errors_away, measured
from torch import Tensor
from torch.distributions import Distribution, Independent, Laplace, Normal

from estimators import register_program
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


KINKED = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.LeakyReLU(), torch.nn.Linear(3, 1)).double()
JUMPS = {
    "abs": lambda x, _: x.abs(),
    "root of the square": lambda x, _: x.square().sqrt(),
    "network": lambda x, _: KINKED(x),
    "where": lambda x, _: torch.where(x > 0, x, 0.1 * x),
}
SMOOTH = {
    "softplus, gelu": lambda x, _: torch.nn.functional.softplus(x).tanh() + torch.nn.functional.gelu(x),
    "huber": lambda x, _: torch.nn.functional.huber_loss(x, torch.zeros_like(x), reduction="none"),
    "guarded": lambda x, _: x.sigmoid().clamp(min=1e-8).log(),
    "cube": lambda x, _: x.abs() ** 3,
    "of the parameters alone": lambda x, log_scale: x**2 * log_scale.clamp(0, 1),
}


@pytest.mark.parametrize("function", JUMPS.values(), ids=JUMPS)
def test_a_jump_of_the_slope_is_refused(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Autograd takes the second derivative of |x| for zero."""
    problem, why = of(function), ", which second derivatives do not see"
    assert make_estimator(PRICE).unsupported(problem, 4) == f"the slope of the cost jumps in x{why}"
    path = make_estimator("pathwise")
    assert path.unsupported(problem, 4) is None
    assert path.unsupported_twice(problem) == f"the slope of the cost jumps along the samples{why}"
    assert make_estimator("dice").unsupported_twice(problem) is None


@pytest.mark.parametrize("function", SMOOTH.values(), ids=SMOOTH)
def test_a_slope_that_bends_is_none_that_jumps(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    assert make_estimator(PRICE).unsupported(of(function), 4) is None


def test_a_density_that_kinks_in_its_parameters_has_no_hessian_by_scores() -> None:
    class OfLaplace(DiagonalGaussian):
        def cost(self, x: Tensor, params: Params) -> Tensor:
            return x.sin().sum(-1)

        def distribution(self, params: Params) -> Distribution:
            return Independent(Laplace(params["loc"], params["log_scale"].exp()), 1)

    assert "slope of log q" in (make_estimator("dice").unsupported_twice(OfLaplace(dim=1)) or "")
    assert make_estimator("pathwise").unsupported_twice(OfLaplace(dim=1)) is None


def test_a_path_that_kinks_has_no_hessian_along_it() -> None:
    @register_program("kinked-path", loc=torch.tensor(0.1))
    def kinked(params: Params, sample: Callable[[str, Distribution], Tensor]) -> Tensor:
        x = sample("x", Normal(params["loc"], 1.0))
        return sample("y", Normal(x.abs(), 1.0))

    assert make_estimator("pathwise").unsupported_twice(make_problem("kinked-path")) is not None
    assert make_estimator("dice").unsupported_twice(make_problem("kinked-path")) is None


def test_where_it_does_not_fit_it_says_why() -> None:
    for problem, why in {
        "gamma-cost": "needs a Gaussian distribution, not Gamma",
        "gaussian-step": "needs a cost that is differentiable in x",
        "gaussian-quadratic:dim=65": "takes up to 64 coordinates, not 65",
    }.items():
        assert make_estimator(PRICE).unsupported(make_problem(problem), 4) == f"{PRICE} {why}"
