"""Bonnet's and Price's theorems: moments of first and second derivatives in place of the noise."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Kinked(DiagonalGaussian):
    """f = |x|, whose second derivative autograd takes for zero."""

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.abs().sum(-1)

    def expected_cost(self, params: Params) -> Tensor:
        mean, scale = params["loc"], params["log_scale"].exp()
        ratio = mean / scale
        density = (-(ratio**2) / 2).exp() * (2 / torch.pi) ** 0.5
        return (scale * density + mean * torch.erf(ratio / 2**0.5)).sum(-1)


def test_a_jump_of_the_slope_is_seen_as_bias() -> None:
    for spec, verdict in ((PRICE, True), ("pathwise", False)):
        work = prepare(Kinked(dim=1, loc=0.3), make_estimator(spec), 4)
        assert (estimate(work, find_reference(work), Stop(replicates=10_000)).verdict == "biased") is verdict


def test_where_it_does_not_fit_it_says_why() -> None:
    for problem, why in {
        "gamma-cost": "needs a Gaussian distribution, not Gamma",
        "gaussian-step": "needs a cost that is differentiable in x",
        "gaussian-quadratic:dim=65": "takes up to 64 coordinates, not 65",
    }.items():
        assert make_estimator(PRICE).unsupported(make_problem(problem), 4) == f"{PRICE} {why}"
