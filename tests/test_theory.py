"""Variances by quadrature, against closed forms and against measurements of independent seeds."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop, cells_of, read_sweep
from experiments.theory import exact_variances
from experiments.theory.formulas import FORMULAS
from experiments.theory.marginal import marginal, normal_rule, uniform_rule

PARAMETERS = ("loc", "log_scale")
OPTIMAL = "score-function:control_variate=optimal-baseline"


def exact(estimator: str, problem: str, num_samples: int = 1) -> dict[str, float]:
    found = exact_variances(estimator, problem, num_samples)
    assert found is not None
    return found


def measured(estimator: str, problem: str, num_samples: int, seed: int, replicates: int) -> Measurement:
    work = prepare(make_problem(problem), make_estimator(estimator), num_samples, seed=seed, dtype="float64")
    return estimate(work, None, Stop(replicates=replicates))


@pytest.mark.parametrize(("loc", "k", "log_scale"), [(1.0, 0.0, 0.0), (0.5, 2.0, -0.5), (0.0, 0.0, 0.3)])
def test_closed_forms_of_the_quadratic(loc: float, k: float, log_scale: float):
    """d = μ − k; Var_σ times σ² for log_scale. Measure-valued: 4dσW has Var W = 2 − π/2, and κ² = 1/(2πσ²)."""
    d, s = loc - k, math.exp(log_scale)
    problem = f"gaussian-quadratic:dim=1,k={k},loc={loc},log_scale={log_scale}"
    known = {
        "score-function": (d**4 / s**2 + 14 * d**2 + 15 * s**2, 2 * d**4 + 60 * d**2 * s**2 + 74 * s**4),
        "pathwise": (4 * s**2, 4 * d**2 * s**2 + 8 * s**4),
        # f = d² + 2dσε + σ²ε², of which b* takes the constant: b* = d² + 3σ² for loc, d² + 5σ² for log_scale.
        OPTIMAL: (8 * d**2 + 6 * s**2, 40 * d**2 * s**2 + 24 * s**4),
        "measure-valued": (16 * d**2 * (2 - math.pi / 2) / (2 * math.pi), math.nan),
        "stratified:scheme=antithetic": (0.0, 16 * s**4 / 2),
    }
    for estimator, expected in known.items():
        found = exact(estimator, problem, 2 if "antithetic" in estimator else 1)
        for name, value in zip(PARAMETERS, expected, strict=True):
            assert math.isnan(value) or found[name] == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_closed_forms_of_the_cosine():
    """E cos(2kx) = cos(2kμ) exp(−2k²σ²) gives the pathwise loc variance, E ε² cos(2kx) the score function's."""
    k, loc = 3.0, 0.4
    problem = f"gaussian-cosine:dim=1,k={k},loc={loc}"
    gradient = -k * math.sin(k * loc) * math.exp(-(k**2) / 2)
    twice = math.cos(2 * k * loc) * math.exp(-2 * k**2)
    assert exact("pathwise", problem)["loc"] == pytest.approx(k**2 * (1 - twice) / 2 - gradient**2, rel=1e-10)
    second = (1 + (1 - 4 * k**2) * twice) / 2 - gradient**2
    assert exact("score-function", problem)["loc"] == pytest.approx(second, rel=1e-10)


def test_variance_falls_as_one_over_the_number_of_samples():
    for estimator in FORMULAS:
        if "stratified" not in estimator and "leave-one-out" not in estimator:
            one, many = (exact(estimator, "gaussian-exponential:dim=3,k=2", s) for s in (1, 50))
            assert many == pytest.approx({name: value / 50 for name, value in one.items()}, rel=1e-12)


def test_leave_one_out_doubles_the_variance_where_the_baseline_is_noise():
    """S = 2, f = cos 4x, x ~ N(0, 1)."""
    problem = "gaussian-cosine:dim=1,k=4,loc=0"
    controlled = exact("score-function:control_variate=leave-one-out", problem, 2)["loc"]
    assert controlled / exact("score-function", problem, 2)["loc"] == pytest.approx(2, rel=1e-5)


def test_strata_take_away_all_but_the_variance_within_them():
    edges = stats.norm.ppf(np.linspace(0, 1, 9))
    within = sum(stats.truncnorm(low, high).var() for low, high in itertools.pairwise(edges))
    for scheme in ("stratified:scheme=grid", "stratified", "stratified:scheme=sobol"):
        found = exact(scheme, "gaussian-quadratic:dim=1", 8)["loc"]
        assert found == pytest.approx(4 * within / 64, rel=1e-9)


def test_what_is_not_known_is_said_to_be_unknown():
    assert exact_variances("score-function:control_variate=taylor", "gaussian-quadratic", 1) is None
    assert exact_variances("pathwise", "gaussian-step", 1) is None
    assert exact_variances("pathwise", "exponential-quadratic", 1) is None
    assert exact_variances("pathwise", "of-a-plug-in:k=3", 1) is None
    assert exact_variances("score-function:control_variate=leave-one-out", "gaussian-quadratic", 1) is None
    assert exact_variances("stratified:scheme=grid", "gaussian-quadratic:dim=2", 8) is None
    assert exact_variances("stratified:scheme=sobol", "gaussian-quadratic:dim=2", 12) is None
    assert exact_variances("stratified", "gaussian-quadratic:dim=2", 12) is not None


def test_rules_integrate_their_density():
    points, weights = normal_rule(np.linspace(-12, 12, 49))
    for power, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (8, 105)):
        assert weights @ points**power == pytest.approx(moment, rel=1e-12, abs=1e-12)
    assert weights @ np.cos(20 * points) == pytest.approx(math.exp(-200), abs=1e-12)
    assert weights @ np.exp(-200 * points**2) == pytest.approx(401**-0.5, rel=1e-9)
    points, weights = uniform_rule()
    assert weights @ points**3 == pytest.approx(1 / 4, rel=1e-12)


@pytest.mark.parametrize("estimator", FORMULAS)
def test_quadrature_agrees_with_measurement(estimator: str):
    problems = ("gaussian-quadratic:dim=2,k=2,log_scale=0.3", "gaussian-exponential:dim=1,k=3", "gaussian-cosine:dim=2")
    for seed, (problem, num_samples) in enumerate(itertools.product(problems, (4, 16))):
        found, known = measured(estimator, problem, num_samples, seed, 20_000), exact(estimator, problem, num_samples)
        for name in PARAMETERS:
            value, low, high = (getattr(found, key)[name] for key in ("variance", "variance_low", "variance_high"))
            if known[name] == 0:
                assert (value == 0).all()
                continue
            errors = np.log(high / low) / 2 / stats.t.ppf(0.975, 63)
            assert (np.abs(np.log(value / known[name])) < 4.5 * errors).all(), (problem, num_samples, name)


@pytest.mark.slow
def test_intervals_of_the_mohamed2020_sweep_cover_the_exact_variances():
    """Every cell with a seed of its own, since estimators of one seed meet the same noise.

    The baseline is fitted on 10,000 samples, which adds (b − b*)² E s²: it is compared with the optimum all the same,
    and what it adds on average must be small against the intervals.
    """
    covered: dict[str, list[bool]] = {name: [] for name in (*PARAMETERS, "total")}
    for seed, cell in enumerate(cells_of(read_sweep("mohamed2020"))):
        work = prepare(
            make_problem(cell.problem), make_estimator(cell.estimator), cell.num_samples, seed=seed, dtype=cell.dtype
        )
        found, known = estimate(work, None, cell.stop), exact(cell.estimator, cell.problem, cell.num_samples)
        for name in PARAMETERS:
            covered[name].append(bool(found.variance_low[name] <= known[name] <= found.variance_high[name]))
        covered["total"].append(found.total_variance.low <= sum(known.values()) <= found.total_variance.high)
        if cell.estimator == OPTIMAL:
            for name in PARAMETERS:
                half = math.log(found.variance_high[name].item() / found.variance_low[name].item()) / 2
                assert excess(cell.problem, name) / known[name] < half / 4
    assert len(covered["total"]) >= 400
    shares = {name: np.mean(values) for name, values in covered.items()}
    assert all(0.92 <= share <= 0.98 for share in shares.values()), shares


def excess(problem: str, name: str, fit_samples: int = 10_000) -> float:
    """E (b − b*)² E s² of a baseline fitted as a ratio of means, by the delta method."""
    q = marginal(problem)
    assert q is not None
    score, cost = q.score(name), q.cost(q.points)
    information = q.mean(score**2)
    best = q.mean(cost * score**2) / information
    return q.mean(((cost - best) * score**2) ** 2) / information / fit_samples
