# pyright: reportCallIssue=false, reportArgumentType=false
"""Problems that are not separable, and formulas at their limits, against quadratures and special functions."""

import itertools

import numpy as np
import pytest
import scipy.special
import torch
from expectations import QUADRATURE, exact, expected, scattered
from scipy import integrate, stats
from torch import Tensor

from estimators.interface import replicated
from estimators.registry import make_problem
from experiments.problems.gaussian_full_covariance import coupled_quadratic


def test_logistic_regression_against_an_integral() -> None:
    """Each logit is Gaussian, with derivatives after Bonnet and Price; integrated adaptively, the rest by hand."""
    from sklearn.datasets import load_breast_cancer

    made = make_problem("logistic-regression")
    params = scattered(made, 1, 3)
    loc, log_scale = (params[name][0].numpy() for name in ("loc", "log_scale"))
    features, label = load_breast_cancer(return_X_y=True)
    standardised = (features - features.mean(0)) / features.std(0)
    signed = np.column_stack([standardised, np.ones(569)]) * np.where(label == 1, 1.0, -1.0)[:, None]
    mean, deviation = signed @ loc, np.sqrt(signed**2 @ np.exp(2 * log_scale))

    def integrand(z: float) -> np.ndarray:
        logit = mean + deviation * z
        wrong, right = scipy.special.expit(-logit), scipy.special.expit(logit)
        return np.stack([np.logaddexp(0, -logit), -wrong, right * wrong / 2]) * stats.norm.pdf(z)

    (loss, by_mean, by_variance), _ = integrate.quad_vec(integrand, -12, 12, epsabs=1e-9)
    variance = np.exp(2 * log_scale)
    divergence = ((loc**2 + variance - 1) / 2 - log_scale).sum()
    assert float(expected(made, params)) == pytest.approx(loss.sum() + divergence, rel=QUADRATURE)
    gradient = exact(made, params)
    by_loc = signed.T @ by_mean + loc
    by_log_scale = (signed**2).T @ by_variance * 2 * variance + variance - 1
    np.testing.assert_allclose(gradient["loc"][0].numpy(), by_loc, rtol=QUADRATURE, atol=QUADRATURE)
    np.testing.assert_allclose(gradient["log_scale"][0].numpy(), by_log_scale, rtol=QUADRATURE, atol=QUADRATURE)


def hermite(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes `[N, D]` and weights `[N]` that integrate polynomials of degree 9 over a standard Gaussian."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    grid = np.stack(np.meshgrid(*[nodes] * dim, indexing="ij"), -1).reshape(-1, dim)
    products = np.stack(np.meshgrid(*[weights] * dim, indexing="ij"), -1).reshape(-1, dim).prod(-1)
    return grid, products / products.sum()


def quadratic_form(x: np.ndarray) -> np.ndarray:
    dim = x.shape[-1]
    form = np.eye(dim) + 0.25 * (np.eye(dim, k=1) + np.eye(dim, k=-1))
    return np.einsum("ni,ij,nj->n", x, form, x)


def gaussian_gradients(loc: np.ndarray, entries: np.ndarray, k: float) -> tuple[float, np.ndarray, np.ndarray]:
    """E[f], E[f · score in loc] and E[f · score in the Cholesky entries], of one Gaussian with full covariance."""
    dim = len(loc)
    factor = np.zeros((dim, dim))
    factor[np.tril_indices(dim)] = entries
    diagonal = np.exp(np.diag(factor))
    np.fill_diagonal(factor, diagonal)
    z, weights = hermite(dim)
    weighted = weights * quadratic_form(loc + z @ factor.T - k)
    inverse = np.linalg.inv(factor)
    by_factor = inverse.T @ (np.einsum("n,ni,nj->ij", weighted, z, z) - weighted.sum() * np.eye(dim))
    by_factor[np.diag_indices(dim)] *= diagonal
    return weighted.sum(), weighted @ z @ inverse, by_factor[np.tril_indices(dim)]


def close(found: Tensor, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-11, atol=1e-11)


def test_gaussian_full_covariance_against_gauss_hermite() -> None:
    made = make_problem("gaussian-full-covariance:dim=3,k=0.6")
    params = scattered(made, 1)
    value, by_loc, by_cholesky = gaussian_gradients(params["loc"][0].numpy(), params["cholesky"][0].numpy(), 0.6)
    gradient = exact(made, params)
    assert float(expected(made, params)) == pytest.approx(value, rel=1e-12)
    close(gradient["loc"][0], by_loc)
    close(gradient["cholesky"][0], by_cholesky)


def test_the_quadratic_form_is_well_conditioned_and_not_diagonal() -> None:
    basis = torch.eye(50, dtype=torch.float64)
    form = (
        coupled_quadratic(basis[:, None] + basis) - coupled_quadratic(basis)[:, None] - coupled_quadratic(basis)
    ) / 2
    eigenvalues = torch.linalg.eigvalsh(form)
    assert eigenvalues[0] > 0.5 and eigenvalues[-1] < 1.5
    assert torch.equal(form.diagonal(1), torch.full((49,), 0.25, dtype=torch.float64))


def test_full_mixture_against_gauss_hermite() -> None:
    """Component by component, with the scores of the component's weight and of its Gaussian."""
    made = make_problem("mixture-cost:covariance=full,dim=2,components=3,k=0.4")
    params = scattered(made, 1)
    gradient = exact(made, params)
    weights = scipy.special.softmax(params["logits"][0].numpy())
    by_logits, total = np.zeros(3), 0.0
    for c, weight in enumerate(weights):
        loc, entries = params["loc"][0, c].numpy(), params["cholesky"][0, c].numpy()
        value, by_loc, by_cholesky = gaussian_gradients(loc, entries, 0.4)
        total += weight * value
        by_logits += weight * value * (np.arange(3) == c) - weight * value * weights
        close(gradient["loc"][0, c], weight * by_loc)
        close(gradient["cholesky"][0, c], weight * by_cholesky)
    close(gradient["logits"][0], by_logits)
    assert float(expected(made, params)) == pytest.approx(total, rel=1e-12)


def test_factorised_mixture_against_every_choice_of_components() -> None:
    made = make_problem("mixture-cost:dim=3,components=2,k=0.4")
    params = scattered(made, 1)
    gradient = exact(made, params)
    logits, loc, log_scale = (params[name][0].numpy() for name in ("logits", "loc", "log_scale"))
    weights = scipy.special.softmax(logits, -1)
    wanted = {name: np.zeros((3, 2)) for name in params}
    z, nodes = hermite(3)
    dims, total = np.arange(3), 0.0
    for choice in itertools.product(range(2), repeat=3):
        scale = np.exp(log_scale[dims, choice])
        weighted = weights[dims, choice].prod() * nodes * quadratic_form(loc[dims, choice] + scale * z - 0.4)
        total += weighted.sum()
        wanted["loc"][dims, choice] += weighted @ z / scale
        wanted["log_scale"][dims, choice] += weighted @ (z**2 - 1)
        wanted["logits"][dims, choice] += weighted.sum()
        wanted["logits"] -= weighted.sum() * weights
    assert float(expected(made, params)) == pytest.approx(total, rel=1e-12)
    for name, value in wanted.items():
        close(gradient[name][0], value)


def test_dirichlet_cost_against_an_integral() -> None:
    """Over x₁ = u and x₂ = (1 − u)v on the unit square, by the tanh-sinh rule, whose nodes crowd at the edges."""
    made = make_problem("dirichlet-cost:dim=3,concentration=3,k=0.2")
    params = scattered(made, 1)
    alpha = np.exp(params["log_concentration"][0].numpy())
    t = np.linspace(-3.2, 3.2, 129)
    u, rest = scipy.special.expit(np.pi * np.sinh(t)), scipy.special.expit(-np.pi * np.sinh(t))
    weights = np.pi * np.cosh(t) * u * rest * (t[1] - t[0])
    x = np.stack(np.broadcast_arrays(u[:, None], rest[:, None] * u, rest[:, None] * rest))
    constant = scipy.special.gammaln(alpha.sum()) - scipy.special.gammaln(alpha).sum()
    density = np.exp(constant) * (x ** (alpha - 1)[:, None, None]).prod(0) * rest[:, None]
    assert weights @ density @ weights == pytest.approx(1, rel=1e-11)
    weighted = np.outer(weights, weights) * density * (x[1] / 2 + x[2] - 0.2) ** 2
    assert float(expected(made, params)) == pytest.approx(weighted.sum(), rel=1e-11)
    centre = scipy.special.digamma(alpha.sum()) - scipy.special.digamma(alpha)
    scores = alpha[:, None, None] * (centre[:, None, None] + np.log(x))
    close(exact(made, params)["log_concentration"][0], (weighted * scores).sum((1, 2)))


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
def test_student_t_cost_of_a_cauchy_variable(scale: float) -> None:
    """Of a harmonic function: E log(1 + x²) = log(loc² + (1 + scale)²) at one degree of freedom."""
    made = make_problem(f"student-t-cost:df=1,dim=1,loc=1.5,log_scale={np.log(scale)}")
    params = replicated(made.initial_params(), 1)
    radius = 1.5**2 + (1 + scale) ** 2
    gradient = exact(made, params)
    assert float(expected(made, params)) == pytest.approx(np.log(radius), rel=1e-12)
    assert float(gradient["loc"]) == pytest.approx(3 / radius, rel=1e-12)
    assert float(gradient["log_scale"]) == pytest.approx(2 * (1 + scale) * scale / radius, rel=1e-12)


@pytest.mark.parametrize("concentration", [1e-3, 0.5, 14.0, 60.0])
def test_von_mises_cost_against_bessel_functions(concentration: float) -> None:
    made = make_problem(f"von-mises-cost:concentration={concentration},dim=1,loc=0.7")
    params = replicated(made.initial_params(), 1)
    ratio = scipy.special.i1e(concentration) / scipy.special.i0e(concentration)
    slope = concentration * (1 - ratio / concentration - ratio**2)
    gradient = exact(made, params)
    assert float(expected(made, params)) == pytest.approx(1 - ratio * np.cos(0.7), rel=1e-12)
    assert float(gradient["loc"]) == pytest.approx(ratio * np.sin(0.7), rel=1e-12)
    assert float(gradient["log_concentration"]) == pytest.approx(-slope * np.cos(0.7), rel=1e-11)


@pytest.mark.parametrize("concentration", [1e4, 1e8])
def test_von_mises_cost_at_large_concentrations(concentration: float) -> None:
    """1 − I₁(κ)/I₀(κ) = 1/(2κ) + 1/(8κ²) + 1/(8κ³) + …, where the difference itself has few digits left."""
    made = make_problem(f"von-mises-cost:concentration={concentration},dim=1,loc=0")
    params = replicated(made.initial_params(), 1)
    one = 1 / concentration
    assert float(expected(made, params)) == pytest.approx(one / 2 + one**2 / 8 + one**3 / 8, rel=1e-12)
    slope = -(one / 2 + one**2 / 4 + 3 * one**3 / 8)
    assert float(exact(made, params)["log_concentration"]) == pytest.approx(slope, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 25.0, 1e6])
@pytest.mark.parametrize("parameterization", ["scale", "log-scale", "softplus"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_log_parameterization_keeps_its_digits(scale: float, parameterization: str, dtype: torch.dtype) -> None:
    """From 1e-6 to 1e6 the distribution has the scale that was asked for, and the gradient is 2 · scale · dscale/dθ."""
    made = make_problem(f"log-parameterization:dim=1,parameterization={parameterization},scale={scale}")
    ((name, theta),) = made.initial_params().items()
    params = {name: theta.to(dtype).expand(1, 1)}
    digits = 64 * torch.finfo(dtype).eps  # a logarithm of 14 is rounded to 14 eps
    assert float(made.distribution(params).stddev) == pytest.approx(scale, rel=digits)
    slope = {"scale": 1.0, "log-scale": scale, "softplus": -np.expm1(-scale)}[parameterization]
    assert float(exact(made, params)[name]) == pytest.approx(2 * scale * slope, rel=digits)
