# pyright: reportCallIssue=false, reportArgumentType=false
"""Every problem's exact gradient against an oracle of another kind, and its expected cost against plain sampling."""

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
    value = made.expected_cost(params)
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


def reals(function: Callable[[float], float], at: dict[str, float], kinks: list[float]) -> float:
    centre, scale = at["loc"], np.exp(at["log_scale"])
    edges = sorted([centre - 12 * scale, *kinks, centre, centre + 12 * scale])
    return sum(integrate.quad(function, a, b, epsabs=1e-11, limit=200)[0] for a, b in itertools.pairwise(edges))


def positive(function: Callable[[float], float], at: dict[str, float], kinks: list[float]) -> float:
    edges = [0.0, 1e-3, 1.0, 10.0, 100.0]
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
]


@pytest.mark.parametrize("row", SEPARABLE, ids=[row[0] for row in SEPARABLE])
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


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        *((f"{name}:dim=0", "dim must be at least 1") for name, *_ in SEPARABLE),
        ("bernoulli-toy:dim=-1", "dim must be at least 1"),
        ("gaussian-exponential:k=-1", "k must not be negative"),
        ("gamma-cost:rate=0", "must be positive"),
        ("gamma-cost:concentration=-2", "must be positive"),
        ("poisson-quadratic:rate=0", "rate must be positive"),
    ],
)
def test_options_that_make_no_problem_are_refused(spec: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_problem(spec)


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
