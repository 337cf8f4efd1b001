"""Variances known in closed form, and identities that hold sample by sample."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from estimators.interface import replicated
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate, measure
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop


def measured(
    problem: str, estimator: str, num_samples: int = 1, replicates: int = 400_000, seed: int = 0
) -> Measurement:
    work = prepare(make_problem(problem), make_estimator(estimator), num_samples, seed=seed)
    return estimate(work, find_reference(work), Stop(replicates=replicates))


def errors_away(found: Measurement, name: str, expected: float) -> float:
    """Distance of a variance from its exact value on the logarithmic scale, in standard errors."""
    value, low, high = (getattr(found, key)[name].item() for key in ("variance", "variance_low", "variance_high"))
    standard_error = math.log(high / low) / 2 / 1.998  # Student's t with 63 degrees of freedom at 97.5 %
    return abs(math.log(value / expected)) / standard_error


@pytest.mark.parametrize(("loc", "k", "log_scale"), [(1.0, 0.0, 0.0), (0.5, 2.0, -0.5), (0.0, 0.0, 0.3)])
def test_gaussian_quadratic(loc: float, k: float, log_scale: float) -> None:
    """x ~ N(μ, σ²), f = (x − k)², d = μ − k, one sample; Var_σ times σ² for log_scale."""
    d, s = loc - k, math.exp(log_scale)
    problem = f"gaussian-quadratic:dim=1,loc={loc},k={k},log_scale={log_scale}"
    score = measured(problem, "score-function")
    assert errors_away(score, "loc", d**4 / s**2 + 14 * d**2 + 15 * s**2) < 4
    assert errors_away(score, "log_scale", s**2 * (2 * d**4 / s**2 + 60 * d**2 + 74 * s**2)) < 4
    pathwise = measured(problem, "pathwise")
    assert errors_away(pathwise, "loc", 4 * s**2) < 4
    assert errors_away(pathwise, "log_scale", s**2 * (4 * d**2 + 8 * s**2)) < 4


def test_the_measurement_of_the_documentation() -> None:
    found = measure(
        make_problem("gaussian-quadratic:dim=1"),
        make_estimator("score-function"),
        num_samples=1,
        replicates=200_000,
        seed=0,
    )
    assert found.replicates == 200_000 and found.stop_reason == "replicates"
    assert errors_away(found, "loc", 30) < 4
    assert errors_away(found, "log_scale", 136) < 4
    assert found.seconds_per_gradient is not None and found.seconds_per_gradient.value > 0
    assert found.work_normalized_mse is not None and found.peak_memory_bytes


def test_variance_falls_as_one_over_the_number_of_samples() -> None:
    problem = "gaussian-quadratic:dim=1"
    assert errors_away(measured(problem, "pathwise", 16), "loc", 4 / 16) < 4
    assert errors_away(measured(problem, "score-function", 16), "loc", 30 / 16) < 4


def test_an_antithetic_pair_has_no_variance_in_loc() -> None:
    found = measured("gaussian-quadratic:dim=3", "stratified:scheme=antithetic", 2, 20_000)
    assert (found.variance["loc"] < 1e-10).all()
    assert (found.variance["log_scale"] > 1).all()


def test_taylor_is_exact_on_a_quadratic() -> None:
    found = measured("gaussian-quadratic:dim=3", "score-function:control_variate=taylor", 2, 20_000)
    assert tuple(found.total_variance) == (0, 0, 0)
    assert found.verdict == "unbiased" and found.snr is None


def test_leave_one_out_is_the_centred_score_function_sample_by_sample() -> None:
    work = prepare(
        make_problem("gaussian-quadratic:dim=2"), make_estimator("score-function:control_variate=leave-one-out"), 5
    )
    params, problem = work.params(9), work.problem
    noise = work.draw(IID(3), 9)
    x = families.sample(problem.distribution(params), noise)
    cost = problem.cost(x, params)
    score = (x - params["loc"]) / (2 * params["log_scale"]).exp()
    expected = ((cost - cost.mean(0)).unsqueeze(-1) * score).sum(0) / 4
    torch.testing.assert_close(work.gradient(params, noise)["loc"], expected)


def test_leave_one_out_can_double_the_variance() -> None:
    """S = 2, f = cos 4x, x ~ N(0, 1): the baseline is another sample of pure noise."""
    problem = "gaussian-cosine:dim=1,k=4,loc=0"
    plain = measured(problem, "score-function", 2)
    controlled = measured(problem, "score-function:control_variate=leave-one-out", 2)
    ratio = controlled.variance["loc"].item() / plain.variance["loc"].item()
    error = math.hypot(
        *(math.log(m.variance_high["loc"].item() / m.variance_low["loc"].item()) / 4 for m in (plain, controlled))
    )
    # E f² s² + E f² E s² against E f² s², where E f² = 1/2 + e^-32/2 and E f² s² = 1/2 + (1 - 64) e^-32/2.
    assert abs(math.log(ratio / 2)) < 4 * error


@pytest.mark.parametrize("shift", [0.2, 0.5, 1.0])
def test_second_moment_of_importance_weights(shift: float) -> None:
    """E w² = exp(δ²) between N(μ, 1) and N(μ + δ, 1)."""
    estimator = make_estimator(f"importance-weighted:proposal=shifted,scale={1 + shift}")
    problem = make_problem("gaussian-quadratic:dim=1").to("cpu", torch.float32)
    params = replicated({name: value.float() for name, value in problem.initial_params().items()}, 1)
    noise = estimator.draw(problem, params, 1_000_000, IID(0))
    weight = estimator._weighted(problem, params, noise)[1].exp()  # type: ignore[attr-defined]
    for power, expected in ((1, 1.0), (2, math.exp(shift**2))):
        moment = weight.double() ** power
        assert abs(moment.mean().item() - expected) < 5 * moment.std().item() / 1000


@pytest.mark.parametrize("scale", [0.9, 1.2, 2.0])
def test_second_moment_of_widened_weights(scale: float) -> None:
    """E w² = c² / √(2c² − 1) between N(μ, σ²) and N(μ, c²σ²), on x and on its noise alike."""
    for base in ("score-function", "pathwise"):
        estimator = make_estimator(f"importance-weighted:base={base},scale={scale}")
        problem = make_problem("gaussian-quadratic:dim=1,log_scale=0.5").to("cpu", torch.float32)
        params = replicated({name: value.float() for name, value in problem.initial_params().items()}, 1)
        noise = estimator.draw(problem, params, 400_000, IID(0))
        weight = estimator._weighted(problem, params, noise)[1].exp()  # type: ignore[attr-defined]
        for power, expected in ((1, 1.0), (2, scale**2 / math.sqrt(2 * scale**2 - 1))):
            moment = weight.double() ** power
            assert abs(moment.mean().item() - expected) < 5 * moment.std().item() / math.sqrt(400_000)


@pytest.mark.parametrize("scheme", ["grid", "latin-hypercube", "sobol"])
def test_strata_leave_the_variance_within_them(scheme: str) -> None:
    """One normal in each of S slices of equal odds: Var = 4/S² Σ Var[z | slice] for the pathwise gradient 2 (1 + z)."""
    num_samples = 8
    edges = stats.norm.ppf(np.linspace(0, 1, num_samples + 1))
    within = sum(stats.truncnorm(low, high).var() for low, high in itertools.pairwise(edges))
    found = measured("gaussian-quadratic:dim=1", f"stratified:scheme={scheme}", num_samples)
    assert errors_away(found, "loc", 4 * within / num_samples**2) < 4


def test_systematic_points_leave_the_variance_of_their_common_offset() -> None:
    """S points (i + U)/S: the mean over them is a function of U alone, whose variance is an integral."""
    offsets = (np.arange(20_000) + 0.5) / 20_000
    means = stats.norm.ppf((np.arange(4)[:, None] + offsets) / 4).mean(0)
    found = measured("gaussian-quadratic:dim=1", "stratified:scheme=systematic", 4)
    assert errors_away(found, "loc", 4 * means.var()) < 4


def test_defensive_weights_are_bounded_by_two() -> None:
    estimator = make_estimator("importance-weighted:proposal=defensive,scale=3")
    problem = make_problem("gaussian-quadratic:dim=5").to("cpu", torch.float32)
    params = replicated({name: value.float() for name, value in problem.initial_params().items()}, 1)
    noise = estimator.draw(problem, params, 100_000, IID(0))
    weight = estimator._weighted(problem, params, noise)[1].exp()  # type: ignore[attr-defined]
    assert weight.max() <= 2.0001
    assert abs(weight.mean().item() - 1) < 5 * weight.std().item() / math.sqrt(100_000)


def test_the_optimal_baseline_is_the_known_one() -> None:
    """b* = E[f s²] / E[s²]; for loc at d = σ = 1: E[(1 + ε)² ε²] = 4, over 1."""
    work = prepare(
        make_problem("gaussian-quadratic:dim=1"), make_estimator("score-function:control_variate=optimal-baseline"), 1
    )
    numerator, denominator = work.estimator.control_variate.moments  # type: ignore[attr-defined]
    # Var[(1 + ε)² ε²] = E[(1+ε)⁴ε⁴] − 16 = 3 + 6·15 + 105 − 16 = 182, and E ε⁴ − 1 = 2, over 10,000 samples.
    assert abs(numerator["loc"].item() - 4) < 5 * math.sqrt(182 / 10_000)
    assert abs(denominator["loc"].item() - 1) < 5 * math.sqrt(2 / 10_000)
    # Var = E[(f − b)² s²] − g² at b = 4: E f²s² = 34, less b² E s² = 16, less g² = 4.
    found = measured("gaussian-quadratic:dim=1", "score-function:control_variate=optimal-baseline")
    assert found.variance["loc"].item() < 14 + 4 * (
        found.variance_high["loc"].item() - found.variance_low["loc"].item()
    )
    assert errors_away(found, "loc", 14 + (4 - numerator["loc"].item() / denominator["loc"].item()) ** 2) < 4
