# pyright: reportCallIssue=false, reportArgumentType=false
"""Problems whose cost is a sum over dimensions, against integrals in one dimension."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import scipy.special
from expectations import QUADRATURE, exact, expected, scattered
from scipy import integrate, stats

from estimators.registry import make_problem


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
