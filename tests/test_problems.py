# pyright: reportCallIssue=false, reportArgumentType=false
"""Every problem's exact gradient against an oracle of another kind, and its expected cost against plain sampling."""

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.special
import torch
from cases import PROBLEMS, problem
from scipy import integrate, stats
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Params, Problem, replicated
from estimators.registry import components, make_problem
from experiments.problems.gaussian_full_covariance import coupled_quadratic
from experiments.problems.random_walk import Walk

QUADRATURE = 1e-7
"""Relative error of adaptive quadrature and of sums over the tail of a Poisson distribution."""
each_problem = pytest.mark.parametrize("spec", PROBLEMS)


def scattered(made: Problem, replicates: int = 2, seed: int = 0) -> Params:
    """Float64 parameters that differ between replicates and entries."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + 0.3 * torch.randn(replicates, *value.shape, generator=generator, dtype=torch.float64)
        for name, value in made.initial_params().items()
    }


def expected(made: Problem, params: Params) -> Tensor:
    value = made.exact_cost(params)
    assert value is not None
    return value


def exact(made: Problem, params: Params) -> Params:
    gradient = made.exact_gradient(params)
    assert gradient is not None
    return gradient


def test_every_registered_problem_is_tested() -> None:
    assert {spec.partition(":")[0] for spec in PROBLEMS} == set(components("problem"))


@each_problem
def test_shapes(spec: str) -> None:
    made = problem(spec)
    params = scattered(made, 3)
    q = made.distribution(params)
    assert tuple(q.batch_shape) == (3,)
    x = q.sample((5,))
    assert made.cost(x, params).shape == (5, 3)
    assert expected(made, params).shape == (3,)
    gradient = exact(made, params)
    assert gradient.keys() == params.keys()
    for name, value in gradient.items():
        assert (value.shape, value.dtype) == (params[name].shape, torch.float64)
        assert value.isfinite().all() and not value.requires_grad
    assert all(value.dtype == torch.float64 for value in made.initial_params().values())


@each_problem
def test_replicates_do_not_meet(spec: str) -> None:
    made = problem(spec)
    params = scattered(made)
    together = exact(made, params)
    for row in range(2):
        alone = exact(made, {name: value[row : row + 1] for name, value in params.items()})
        for name, value in alone.items():
            torch.testing.assert_close(value[0], together[name][row], rtol=1e-12, atol=1e-12)


@each_problem
@pytest.mark.parametrize("seed", [None, 1])
def test_exact_gradient_is_the_slope_of_the_expected_cost(spec: str, seed: int | None) -> None:
    """Central differences along a random direction, at the initial parameters and elsewhere."""
    made = problem(spec)
    params = replicated(made.initial_params(), 1) if seed is None else scattered(made, 1, seed)
    generator = torch.Generator().manual_seed(7)
    direction = {
        name: torch.randn(value.shape, generator=generator, dtype=torch.float64) for name, value in params.items()
    }
    step = 1e-5
    up, down = ({name: params[name] + sign * step * direction[name] for name in params} for sign in (1, -1))
    slope = float(expected(made, up) - expected(made, down)) / (2 * step)
    along = sum(float((value * direction[name]).sum()) for name, value in exact(made, params).items())
    rounding = 1e-15 * float(expected(made, params).abs()) / step
    assert slope == pytest.approx(along, rel=1e-7, abs=100 * rounding + 1e-9)


@each_problem
def test_expected_cost_is_the_mean_of_sampled_costs(spec: str) -> None:
    """Sampled by torch itself, not by the suite's own transforms."""
    made = problem(spec)
    params = scattered(made, 1, 2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = made.distribution(params).sample((20_000,))
    cost = made.cost(x, params).squeeze(1)
    assert abs(float(cost.mean() - expected(made, params))) < 5 * float(cost.std()) / np.sqrt(20_000)


@each_problem
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_moving_to_a_dtype(spec: str, dtype: torch.dtype) -> None:
    made = make_problem(spec)
    moved = made.to("cpu", dtype)
    assert type(moved) is type(made) and moved.spec == made.spec
    params = {name: value.to(dtype) for name, value in replicated(made.initial_params(), 2).items()}
    x = moved.distribution(params).sample((3,))
    assert moved.cost(x, params).dtype == dtype
    gradient = exact(moved, params)
    assert all(value.dtype == torch.float64 for value in gradient.values())
    again = exact(made, params)
    for name, value in gradient.items():
        torch.testing.assert_close(value, again[name], rtol=2e-6, atol=2e-6)


@each_problem
def test_support_lists_every_state_once(spec: str) -> None:
    made = problem(spec)
    params = scattered(made)
    states = made.support(params)
    if states is None:
        pytest.skip("its states are too many to list")
    probabilities = made.distribution(params).log_prob(states).exp()
    torch.testing.assert_close(probabilities.sum(0), torch.ones(2, dtype=torch.float64))
    assert len(states[:, 0].unique(dim=0)) == len(states)
    enumerated = (probabilities * made.cost(states, params)).sum(0)
    torch.testing.assert_close(expected(made, params), enumerated)


def gaussian(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    """Density and scores at x."""
    scale = np.exp(at["log_scale"])
    z = (x - at["loc"]) / scale
    return float(stats.norm.pdf(z) / scale), {"loc": z / scale, "log_scale": z**2 - 1}


def exponential(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    rate = np.exp(at["log_rate"])
    return float(stats.expon.pdf(x, scale=1 / rate)), {"log_rate": 1 - rate * x}


def gamma(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    a, rate = np.exp(at["log_concentration"]), np.exp(at["log_rate"])
    density = float(stats.gamma.pdf(x, a, scale=1 / rate))
    log_x = np.log(max(x, 1e-300))
    by_concentration = a * (np.log(rate) - scipy.special.digamma(a) + log_x)
    return density, {"log_concentration": by_concentration, "log_rate": a - rate * x}


def poisson(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    rate = np.exp(at["log_rate"])
    return float(stats.poisson.pmf(x, rate)), {"log_rate": x - rate}


def lognormal(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    scale = np.exp(at["log_scale"])
    z = (np.log(max(x, 1e-300)) - at["loc"]) / scale
    density = np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * scale * max(x, 1e-300))
    return float(density), {"loc": z / scale, "log_scale": z**2 - 1}


def beta(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    one, zero = np.exp(at["log_concentration1"]), np.exp(at["log_concentration0"])
    psi = scipy.special.digamma
    by_one, by_zero = psi(one + zero) - psi(one) + np.log(x), psi(one + zero) - psi(zero) + np.log1p(-x)
    scores = {"log_concentration1": one * by_one, "log_concentration0": zero * by_zero}
    return float(stats.beta.pdf(x, one, zero)), scores


def student_t(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    df, scale = np.exp(at["log_df"]), np.exp(at["log_scale"])
    z = (x - at["loc"]) / scale
    pull = (df + 1) * z / (df + z**2)
    psi = scipy.special.digamma
    by_df = (psi((df + 1) / 2) - psi(df / 2) - 1 / df - np.log1p(z**2 / df) + z * pull / df) / 2
    density = (1 + z**2 / df) ** (-(df + 1) / 2) / (np.sqrt(df) * scipy.special.beta(0.5, df / 2) * scale)
    return float(density), {"log_df": df * by_df, "loc": pull / scale, "log_scale": z * pull - 1}


def von_mises(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    kappa, angle = np.exp(at["log_concentration"]), x - at["loc"]
    lost = scipy.special.i1e(kappa) / scipy.special.i0e(kappa)
    scores = {"loc": kappa * np.sin(angle), "log_concentration": kappa * (np.cos(angle) - lost)}
    return float(stats.vonmises.pdf(angle, kappa)), scores


SCALES: dict[str, Callable[[float], tuple[float, float]]] = {
    "scale": lambda theta: (theta, 1.0),
    "log_scale": lambda theta: (np.exp(theta), np.exp(theta)),
    "inverse_softplus_scale": lambda theta: (np.log1p(np.exp(theta)), 1 / (1 + np.exp(-theta))),
}
"""A scale and its derivative, by the name of the parameter."""


def scaled_gaussian(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    ((name, theta),) = at.items()
    scale, slope = SCALES[name](theta)
    return float(stats.norm.pdf(x, scale=scale)), {name: slope * ((x / scale) ** 2 - 1) / scale}


def scaled_exponential(x: float, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    ((name, theta),) = at.items()
    scale, slope = SCALES[name](theta)
    return float(stats.expon.pdf(x, scale=scale)), {name: slope * (x / scale - 1) / scale}


def reals(function: Callable[[float], float], at: dict[str, float], kinks: list[float]) -> float:
    centre, scale = at["loc"], np.exp(at["log_scale"])
    edges = sorted([centre - 12 * scale, *kinks, centre, centre + 12 * scale])
    return sum(integrate.quad(function, a, b, epsabs=1e-11, limit=200)[0] for a, b in itertools.pairwise(edges))


def positive(function: Callable[[float], float], at: dict[str, float], kinks: list[float]) -> float:
    return between([0.0, 1e-3, 1.0, 10.0, 100.0, 1e3, 1e4], function)


def unit_interval(function: Callable[[float], float], at: dict[str, float], kinks: list[float]) -> float:
    return between([0.0, 0.5, 1.0], function)


def circle(function: Callable[[float], float], at: dict[str, float], kinks: list[float]) -> float:
    return between([at["loc"] - np.pi, at["loc"], at["loc"] + np.pi], function)


def long_tails(function: Callable[[float], float], at: dict[str, float], kinks: list[float]) -> float:
    return between([-np.inf, -30.0, at["loc"], 30.0, np.inf], function)


def around_zero(function: Callable[[float], float], at: dict[str, float], kinks: list[float]) -> float:
    return between([-40.0, 0.0, 40.0], function)


def between(edges: list[float], function: Callable[[float], float]) -> float:
    return sum(integrate.quad(function, a, b, epsabs=1e-11, limit=200)[0] for a, b in itertools.pairwise(edges))


def whole_numbers(function: Callable[[float], float], at: dict[str, float], kinks: list[float]) -> float:
    return sum(function(float(x)) for x in range(200))


SEPARABLE = [
    ("gaussian-quadratic", "k=0.7", lambda x: (x - 0.7) ** 2, gaussian, reals, []),
    ("gaussian-exponential", "k=1.3", lambda x: np.exp(-1.3 * x**2), gaussian, reals, []),
    ("gaussian-cosine", "k=2", lambda x: np.cos(2 * x), gaussian, reals, []),
    ("gaussian-step", "k=0.4", lambda x: float(x > 0.4), gaussian, reals, [0.4]),
    ("exponential-quadratic", "log_rate=0.2", lambda x: x**2, exponential, positive, []),
    ("gamma-cost", "k=1.5", lambda x: (x - 1.5) ** 2, gamma, positive, []),
    ("poisson-quadratic", "k=2", lambda x: (x - 2) ** 2, poisson, whole_numbers, []),
    ("lognormal-cost", "k=0.3", lambda x: (np.log(max(x, 1e-300)) - 0.3) ** 2, lognormal, positive, []),
    ("lognormal-cost", "function=sum,log_scale=-1", lambda x: x, lognormal, positive, []),
    ("beta-cost", "k=0.2", lambda x: (x - 0.2) ** 2, beta, unit_interval, []),
    ("student-t-cost", "k=0.4", lambda x: np.log1p((x - 0.4) ** 2), student_t, long_tails, []),
    ("von-mises-cost", "k=-0.3", lambda x: 1 - np.cos(x + 0.3), von_mises, circle, []),
    *(
        ("log-parameterization", f"family={family},parameterization={name}", lambda x: x**2, density, integral, [])
        for name in ("scale", "log-scale", "softplus")
        for family, density, integral in (
            ("gaussian", scaled_gaussian, around_zero),
            ("exponential", scaled_exponential, positive),
        )
    ),
]


@pytest.mark.parametrize("row", SEPARABLE, ids=[f"{row[0]}:{row[1]}" for row in SEPARABLE])
def test_separable_problem_against_an_integral(row: tuple) -> None:
    """Σ_d E f(x_d): cost and score, in numpy and scipy, are integrated over x, one dimension at a time."""
    name, option, cost, density, integral, kinks = row
    made = make_problem(f"{name}:{option},dim=3")
    params = scattered(made, 1)
    gradient = exact(made, params)
    total = 0.0
    for d in range(3):
        at = {name: float(value[0, d]) for name, value in params.items()}
        total += integral(lambda x, at=at: cost(x) * density(x, at)[0], at, kinks)
        for entry in at:

            def integrand(x: float, at=at, entry=entry) -> float:
                weight, scores = density(x, at)
                return cost(x) * weight * scores[entry]

            found = float(gradient[entry][0, d])
            assert integral(integrand, at, kinks) == pytest.approx(found, rel=QUADRATURE, abs=QUADRATURE)
    assert total == pytest.approx(float(expected(made, params)), rel=QUADRATURE)


def bernoulli_gradient(probabilities: np.ndarray, cost: Callable[[np.ndarray], float]) -> np.ndarray:
    """Of E[cost] in the logits, by enumeration: the score of a bit is b − p."""
    gradient = np.zeros(len(probabilities))
    for bits in itertools.product([0.0, 1.0], repeat=len(probabilities)):
        b = np.array(bits)
        weight = np.prod(np.where(b == 1, probabilities, 1 - probabilities))
        gradient += weight * cost(b) * (b - probabilities)
    return gradient


def test_bernoulli_toy_against_enumeration() -> None:
    made = make_problem("bernoulli-toy:dim=4,t=0.3")
    params = scattered(made, 1)
    probabilities = scipy.special.expit(params["logits"][0].numpy())
    wanted = bernoulli_gradient(probabilities, lambda b: float(((b - 0.3) ** 2).mean()))
    np.testing.assert_allclose(exact(made, params)["logits"][0].numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize("logit", [0.0, -4.0])
def test_bernoulli_shared_logit_against_enumeration(logit: float) -> None:
    made = make_problem(f"bernoulli-shared-logit:logit={logit}")
    centres = np.array([0.6, 0.51, 0.48])
    probabilities = np.full(3, scipy.special.expit(logit))
    wanted = bernoulli_gradient(probabilities, lambda b: float(((b - centres) ** 2).sum())).sum()
    found = exact(made, replicated(made.initial_params(), 1))["logit"]
    assert found.shape == (1,)
    assert float(found) == pytest.approx(wanted, rel=1e-12)


def test_bernoulli_toy_is_not_enumerated_in_many_dimensions() -> None:
    made = make_problem("bernoulli-toy")
    params = replicated(made.initial_params(), 1)
    assert made.support(params) is None
    # d/dlogit of p(1 − t)² + (1 − p)t² is p(1 − p)(1 − 2t), over 200 dimensions.
    torch.testing.assert_close(
        exact(made, params)["logits"], torch.full((1, 200), 0.25 * (1 - 2 * 0.499) / 200, dtype=torch.float64)
    )


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


def walk_gradient(steps: int, p: float) -> tuple[float, float]:
    """E[f] and its derivative in log p, from every path and its score."""
    value = slope = 0.0
    for path in itertools.product([1, -1], repeat=steps):
        position, probability, score = 0, 1.0, 0.0
        for step in path:
            hazard = position / p
            rise = np.exp(-hazard)
            probability *= rise if step == 1 else 1 - rise
            if probability == 0:
                break
            score += hazard if step == 1 else -hazard * rise / (1 - rise)
            position += step
        else:
            value += probability * position**2
            slope += probability * position**2 * score
    return value, slope


@pytest.mark.parametrize("p", [0.5, 4.0, 100.0])
def test_random_walk_against_every_path(p: float) -> None:
    made = make_problem(f"random-walk:p={p},steps=9")
    params = replicated(made.initial_params(), 1)
    value, slope = walk_gradient(9, p)
    assert float(expected(made, params)) == pytest.approx(value, rel=1e-12)
    assert float(exact(made, params)["log_p"]) == pytest.approx(slope, rel=1e-11)


def test_paths_of_the_random_walk_have_the_probabilities_of_its_density() -> None:
    walk = Walk(torch.tensor([0.5, 2.0], dtype=torch.float64), 5)
    steps = torch.tensor(list(itertools.product([1.0, -1.0], repeat=5)), dtype=torch.float64)
    paths = steps.cumsum(-1)
    paths = paths[(paths >= 0).all(-1)][:, None].expand(-1, 2, -1)
    probabilities = walk.log_prob(paths).exp()
    torch.testing.assert_close(probabilities.sum(0), torch.ones(2, dtype=torch.float64))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = walk.sample((20_000,))
    seen = (x[:, None] == paths).all(-1).double().mean(0)
    error = (probabilities * (1 - probabilities) / 20_000).sqrt()
    assert ((seen - probabilities).abs() <= 5 * error).all()


def test_the_random_walk_cannot_fall_below_zero() -> None:
    walk = Walk(torch.tensor([1.0]), 2, validate_args=False)
    impossible = walk.log_prob(torch.tensor([[[1.0, 0.0]], [[-1.0, 0.0]]]))
    assert impossible[0].isfinite().all() and impossible[1] == -torch.inf


@pytest.mark.parametrize("p", [1e-30, 1e-3, 1e6, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_random_walk_is_finite_at_extreme_p(p: float, dtype: torch.dtype) -> None:
    """It goes to and fro between 0 and 1 where p is small, and straight up where it is large."""
    made = make_problem(f"random-walk:p={p},steps=6")
    log_p = made.initial_params()["log_p"].to(dtype).expand(3).requires_grad_()
    walk = made.distribution({"log_p": log_p})
    x = walk.sample((50,))
    (score,) = torch.autograd.grad(walk.log_prob(x).sum(), log_p)
    gradient = exact(made, {"log_p": log_p})["log_p"]
    assert walk.log_prob(x).isfinite().all() and score.isfinite().all() and gradient.isfinite().all()
    assert float(expected(made, {"log_p": log_p.detach().double()})[0]) == pytest.approx(0 if p < 1 else 36, abs=1e-3)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        *((f"{name}:dim=0", "dim must be at least 1") for name in sorted({row[0] for row in SEPARABLE})),
        ("bernoulli-toy:dim=-1", "dim must be at least 1"),
        ("gaussian-exponential:k=-1", "k must not be negative"),
        ("gamma-cost:rate=0", "must be positive"),
        ("gamma-cost:concentration=-2", "must be positive"),
        ("poisson-quadratic:rate=0", "rate must be positive"),
        ("gaussian-full-covariance:dim=0", "dim must be at least 1"),
        ("dirichlet-cost:dim=1", "dim must be at least 2"),
        ("dirichlet-cost:concentration=0", "concentration must be positive"),
        ("beta-cost:concentration1=0", "concentration1 must be positive"),
        ("beta-cost:concentration0=-1", "concentration0 must be positive"),
        ("student-t-cost:df=0", "df must be positive"),
        ("von-mises-cost:concentration=-1", "concentration must be positive"),
        ("mixture-cost:components=0", "components must be at least 1"),
        ("mixture-cost:dim=0", "dim must be at least 1"),
        ("mixture-cost:covariance=fall", "did you mean 'full'"),
        ("log-parameterization:scale=0", "scale must be positive"),
        ("log-parameterization:family=gausian", "did you mean 'gaussian'"),
        ("lognormal-cost:function=sums", "did you mean 'sum'"),
        ("random-walk:steps=0", "steps must be at least 1"),
        ("random-walk:p=0", "p must be positive"),
    ],
)
def test_options_that_make_no_problem_are_refused(spec: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_problem(spec)


@pytest.mark.parametrize("name", components("problem"))
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_option_that_is_no_number_is_refused(name: str, value: float) -> None:
    cls = components("problem")[name]
    numbers = [option.name for option in dataclasses.fields(cls) if isinstance(option.default, float)]  # type: ignore[arg-type]
    for option in numbers:
        with pytest.raises(ValueError, match=f"^{option} must be a finite number, not {value}$"):
            cls(**{option: value})


def test_an_unknown_choice_is_refused_where_no_spec_is_parsed() -> None:
    with pytest.raises(ValueError, match="unknown value of family: 'cauchy'"):
        components("problem")["log-parameterization"](family="cauchy")


@each_problem
def test_what_a_problem_says_of_its_cost(spec: str) -> None:
    """`differentiable`: no jump in x; `cost_depends_on_params`: it changes with the parameters at the same x."""
    made = problem(spec)
    params = scattered(made, 1)
    x = made.distribution(params).sample((200,))
    moved = {name: value + 0.1 for name, value in params.items()}
    changes = not torch.equal(made.cost(x, params), made.cost(x, moved))
    assert changes == made.cost_depends_on_params
    if made.distribution(params).has_rsample:
        leaf = x.requires_grad_()
        total = made.cost(leaf, params).sum()
        slope = torch.autograd.grad(total, leaf)[0].abs().sum() if total.requires_grad else torch.zeros(())
        assert bool(slope > 0) == made.differentiable


@dataclass(frozen=True)
class Constant(Problem):
    """A cost of which nothing depends on the second parameter, or on any."""

    uses_first: bool = False

    def initial_params(self) -> Params:
        return {"first": torch.ones(2, dtype=torch.float64), "second": torch.ones((), dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["first"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.sum(-1) if self.uses_first else torch.zeros_like(x[..., 0])

    def expected_cost(self, params: Params) -> Tensor:
        first = params["first"]
        return first.sum(-1) if self.uses_first else torch.zeros_like(first[:, 0])


@pytest.mark.parametrize("uses_first", [False, True])
def test_a_parameter_without_effect_has_gradient_zero(uses_first: bool) -> None:
    made = Constant(uses_first)
    gradient = exact(made, replicated(made.initial_params(), 3))
    assert torch.equal(gradient["first"], torch.full((3, 2), float(uses_first), dtype=torch.float64))
    assert torch.equal(gradient["second"], torch.zeros(3, dtype=torch.float64))


def test_a_problem_that_knows_nothing_has_no_exact_gradient() -> None:
    @dataclass(frozen=True)
    class Unknown(Constant):
        def expected_cost(self, params: Params) -> Tensor | None:  # type: ignore[override]
            return None

    assert Unknown().exact_gradient(replicated(Unknown().initial_params(), 1)) is None
