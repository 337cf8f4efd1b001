# pyright: reportArgumentType=false
"""Scores are taken at what a sample was made of: right where x itself has rounded to the edge of its support."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.distributions as td
from edge_families import AT_THE_EDGE, Edge, exact_gradient
from scipy import special, stats
from torch import Tensor

from estimators import IID, drawn, make_estimator, replicated, values
from estimators.interface import Params
from estimators.noise.schemes import SCHEMES
from estimators.sampling import families
from estimators.sampling.implicit import moving_log_gamma

RARE = 4.5
"""A mean that is further off than RARE standard errors, at a fixed seed, is a fault."""
DTYPES = [torch.float32, torch.float64]
LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"
SPECS = [
    "score-function",
    LEAVE_ONE_OUT,
    "score-function:control_variate=optimal-baseline",
    "score-function:control_variate=regression",
    "pathwise",
    "importance-weighted",
    "importance-weighted:proposal=defensive",
]
SOME = ["Beta 0.01, 0.01", "Beta 0.1, 0.1", "tanh 3.0, 1.65", "squashed flow 8.0, 2.0", "RelaxedBernoulli -5.0, 0.05"]


def point(edge: Edge, replicates: int, dtype: torch.dtype) -> Params:
    return replicated({name: value.to(dtype) for name, value in edge.initial_params().items()}, replicates)


def deviations(name: str, spec: str, dtype: torch.dtype, replicates: int) -> list[float] | None:
    """How many standard errors the mean gradient is off, by parameter; None: the estimator is refused."""
    edge, estimator = AT_THE_EDGE[name], make_estimator(spec)
    if estimator.unsupported(edge, 4) is not None:
        return None
    params, source = point(edge, replicates, dtype), IID(5, dtype=dtype)
    fitted = estimator.fit(edge, point(edge, 1, dtype), 4, source.stream("fit"))
    gradient = fitted.gradient(edge, params, fitted.draw(edge, params, 4, source))
    found = []
    for each, wanted in zip(gradient.values(), exact_gradient(edge), strict=True):
        rounding = 1e-9 + 3e-5 * abs(wanted)
        found.append(float((each.double().mean() - wanted) / (each.double().std() / math.sqrt(replicates) + rounding)))
    return found


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", SOME)
def test_gradients_at_the_edge(name: str, dtype: torch.dtype) -> None:
    for spec in (LEAVE_ONE_OUT, "pathwise"):
        found = deviations(name, spec, dtype, 4000)
        assert found is not None and max(map(abs, found)) < RARE, spec


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", AT_THE_EDGE)
def test_gradients_at_every_edge(name: str, dtype: torch.dtype) -> None:
    for spec in SPECS:
        found = deviations(name, spec, dtype, 10_000)
        assert found is None or max(map(abs, found)) < RARE, f"{spec}: {found}"


@pytest.mark.parametrize("name", [name for name in AT_THE_EDGE if not name.startswith("HalfCauchy")])  # own sampler
def test_scores_in_float32_are_those_of_float64_on_the_same_noise(name: str) -> None:
    edge = AT_THE_EDGE[name]
    single = point(edge, 1000, torch.float32)
    noise = families.noise(edge.distribution(single), 1, IID(1))

    def scores(params: Params, noise: Tensor) -> list[Tensor]:
        samples = drawn(edge.distribution(params), noise)
        gradient = torch.func.grad(lambda at: samples.log_prob(edge.distribution(at)).sum())(params)
        return [value.double() for value in gradient.values()]

    found = scores(single, noise)
    wanted = scores({name: value.double() for name, value in single.items()}, noise.double())
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).abs().max() < 2e-5 * (1 + other.abs().max())


def test_log_densities_and_values_are_those_of_x() -> None:
    """Where nothing rounds: log q(x) but for a constant, and the same x."""
    a, b = (torch.full((1,), value, dtype=torch.float64) for value in (1.3, 2.2))
    for q in (
        td.Beta(a, b),
        td.Gamma(a, b),
        td.InverseGamma(a, b),
        td.Weibull(a, b),
        td.Kumaraswamy(a, b),
        td.LogNormal(a, b),
        td.FisherSnedecor(a, b),
        td.Dirichlet(torch.stack([a, b, a + b], -1)),
    ):
        noise = families.noise(q, 50, IID(0, dtype=torch.float64))
        samples = drawn(q, noise)
        assert torch.equal(samples.x, values(q, noise))
        torch.testing.assert_close(samples.log_density(q), q.log_prob(samples.x))
        other = type(q)(**{name: getattr(q, name) * 1.1 for name in q.arg_constraints})
        here, there = (of.log_prob(samples.x) - samples.log_prob(of) for of in (q, other))
        torch.testing.assert_close(here, there)


@pytest.mark.parametrize("logit", [-20.0, 20.0])
def test_relaxed_bernoulli_is_not_cut_off(logit: float) -> None:
    """The logistic variable behind x has its own law; torch's sampler cuts off logits at 16 in float32."""
    q = td.RelaxedBernoulli(torch.tensor(0.1), logits=torch.full((1,), logit))
    y = drawn(q, families.noise(q, 10_000, IID(0))).parts[1]
    assert stats.kstest((y * 0.1 - logit).numpy().ravel(), stats.logistic.cdf).pvalue > 1e-4


SOURCES = {"iid": lambda source: source, "latin-hypercube": SCHEMES["latin-hypercube"]}


@pytest.mark.parametrize("scheme", SOURCES)
@pytest.mark.parametrize("concentration", [1e-3, 0.05, 0.24, 3.0])
def test_logarithms_of_gamma_variates(scheme: str, concentration: float) -> None:
    source = SOURCES[scheme](IID(0, dtype=torch.float64))
    found = source.log_gamma(torch.full((1,), concentration, dtype=torch.float64), 10_000).numpy().ravel()

    def cdf(t: np.ndarray) -> np.ndarray:
        near_zero = np.exp(concentration * t - special.gammaln(concentration + 1))
        return np.where(t < -40, near_zero, special.gammainc(concentration, np.exp(np.maximum(t, -40))))

    assert np.isfinite(found).all() and stats.kstest(found, cdf).pvalue > 1e-4


@pytest.mark.parametrize("concentration", [1e-3, 0.05, 0.24])
def test_mean_and_variance_of_the_logarithm(concentration: float) -> None:
    """ψ(a) and ψ'(a)."""
    found = IID(1).log_gamma(torch.full((1,), concentration), 200_000).double()
    mean, variance = float(special.digamma(concentration)), float(special.polygamma(1, concentration))
    assert abs(float(found.mean()) - mean) < RARE * math.sqrt(variance / len(found))
    fourth = float(special.polygamma(3, concentration)) + 2 * variance**2
    assert abs(float(found.var()) - variance) < RARE * math.sqrt(fourth / len(found))


def test_other_gamma_variates_are_drawn_as_before() -> None:
    concentration = torch.tensor([0.25, 1.0, 7.0])
    assert torch.equal(IID(3).log_gamma(concentration, 50), IID(3).standard_gamma(concentration, 50).log())


@pytest.mark.parametrize("concentration", [0.01, 0.2, 1.0, 4.0])
def test_derivative_of_the_logarithm_of_a_gamma_variate(concentration: float) -> None:
    """−∂F/∂a / (x q), F by central differences in scipy."""
    log_x = np.array([-30.0, -12.0, -7.0, -6.9, -3.0, -1.0])
    a, step = torch.tensor(concentration, dtype=torch.float64, requires_grad=True), 1e-6
    moved = moving_log_gamma(torch.from_numpy(log_x), a)
    found = [float(torch.autograd.grad(each, a, retain_graph=True)[0]) for each in moved]
    x = np.exp(log_x)
    change = (special.gammainc(concentration + step, x) - special.gammainc(concentration - step, x)) / (2 * step)
    density = np.exp(concentration * log_x - x - special.gammaln(concentration))
    np.testing.assert_allclose(found, -change / density, rtol=1e-5)


def test_variates_themselves_say_the_same_as_their_logarithms() -> None:
    """Where none is small x is made of the variates, in less time: the same x, with the same derivative."""
    laws: list[Callable[[Tensor], td.Distribution]] = [
        lambda a: td.Beta(a, 2 * a),
        lambda a: td.Gamma(a, 3 * a),
        lambda a: td.InverseGamma(a, 3 * a),
        lambda a: td.FisherSnedecor(a, 2 * a),
        lambda a: td.Dirichlet(torch.stack([a, 2 * a], -1)),
        lambda a: td.StudentT(a, 0.3, 2.0),
    ]
    a = torch.tensor([4.0, 9.0], dtype=torch.float64, requires_grad=True)
    for law in laws:
        noise = families.noise(law(a), 40, IID(2, dtype=torch.float64))
        small = torch.full_like(noise[:1], -9.0)
        direct = families.sample(law(a), noise)
        by_logs = families.sample(law(a), torch.cat([noise, small]))[:-1]
        for sums in (torch.sum, lambda x: (x.log() if x.min() > 0 else x.sigmoid()).sum()):
            one, other = (torch.autograd.grad(sums(x), a, retain_graph=True)[0] for x in (direct, by_logs))
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(direct, by_logs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("log_rate", [-85.0, -46.0, 0.0, 60.0, 85.0])
def test_gamma_variates_of_extreme_rates_keep_their_derivative(log_rate: float) -> None:
    """d log x / d log rate = −1, also where the squares of x or of the rate leave float32."""
    at = torch.tensor([log_rate], requires_grad=True)
    q = td.Gamma(torch.tensor([20.0]), at.exp())
    x = families.sample(q, families.noise(q, 100, IID(3)))
    (slope,) = torch.autograd.grad(x.log().mean(), at)
    torch.testing.assert_close(slope, torch.tensor([-1.0]))


def test_logits_are_looked_at_where_that_is_possible() -> None:
    """A mask has the same gradient beside others under vmap, where nothing can be looked at."""
    masked = torch.tensor([[0.3, -math.inf], [1.0, 0.2]], dtype=torch.float64)

    def total(logits: Tensor) -> Tensor:
        return families.log_prob(td.Bernoulli(logits=logits, validate_args=False), torch.ones_like(logits)).sum()

    each = torch.func.vmap(torch.func.grad(total))(masked)
    assert each.isfinite().all() and torch.equal(each, torch.func.grad(total)(masked))
