"""x may be one number, a vector or a matrix: no estimator gives another gradient for it."""

import math

import pytest
import torch
from cases import NUM_SAMPLES, each_estimator
from shaped_problems import KINDS, Bits, Choice, Counts, LatentNumbers, Numbers, exact_gradient
from torch import Tensor

from estimators.control_variates import neural_baseline
from estimators.interface import EXPECTED_COST, Estimator, Params, Problem, replicated
from estimators.learning import least_variance, variance_gradient
from estimators.noise import IID
from estimators.registry import make_estimator
from experiments.gradients.workload import flatten

pytestmark = pytest.mark.usefixtures("shortest_fits")

REPLICATES = 1_000
ROUNDING = 1e-9
"""Of float64, through what is learned in some steps of Adam."""
FALSE_ALARM = 5.0
"""Standard errors: one test of a million is further off by chance."""


@pytest.fixture
def shortest_fits(short_fits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps reach everything that depends on a shape."""
    monkeypatch.setattr(variance_gradient, "STEPS", 2)
    monkeypatch.setattr(neural_baseline, "FIT_STEPS", 2)
    monkeypatch.setattr(least_variance, "FIT_REPLICATES", 50)


def supported(estimator: Estimator, problem: Problem) -> int | None:
    return next((n for n in NUM_SAMPLES if estimator.unsupported(problem, n) is None), None)


def estimates(estimator: Estimator, problem: Problem, num_samples: int, replicates: int) -> Tensor:
    """`[R, P]`, of an estimator that has learned where it does."""
    point: Params = problem.initial_params()
    learned = estimator.fit(problem, replicated(point, 1), num_samples, IID(1, dtype=torch.float64))
    params = replicated(point, replicates)
    noise = learned.draw(problem, params, num_samples, IID(2, dtype=torch.float64))
    return flatten(learned.gradient(problem, params, noise))


@each_estimator
def test_gradients_of_one_number(spec: str) -> None:
    """They have the mean that a quadrature or an enumeration gives."""
    estimator = make_estimator(spec)
    for kind in (Numbers, Bits, Choice, Counts, LatentNumbers):
        problem = kind(())
        num_samples = supported(estimator, problem)
        if num_samples is None or estimator.claim(problem, num_samples) == "biased":
            continue
        if estimator.objective(problem, num_samples) != EXPECTED_COST:
            num_samples = 1
            if estimator.unsupported(problem, 1) or estimator.objective(problem, 1) != EXPECTED_COST:
                continue
        found, exact = estimates(estimator, problem, num_samples, REPLICATES), exact_gradient(problem)
        error = found.std(0) / math.sqrt(REPLICATES) + ROUNDING
        assert ((found.mean(0) - exact).abs() < FALSE_ALARM * error).all(), (kind.__name__, found.mean(0), exact)


NUMBER, MATRIX = ((), (1,)), ((2, 3), (6,))
"""Shapes, and those of vectors with the same entries."""
SHAPES = [(kind, *NUMBER) for kind in KINDS] + [(kind, *MATRIX) for kind in (Numbers, Bits, Choice)]


@each_estimator
def test_the_shape_of_x_changes_nothing(spec: str) -> None:
    """On the same noise the estimates are those of the same entries in a vector."""
    estimator = make_estimator(spec)
    for kind, shape, vector in SHAPES:
        shaped, flat = kind(shape), kind(vector)
        num_samples = supported(estimator, flat)
        assert supported(estimator, shaped) == num_samples
        if num_samples is not None:
            found, wanted = (estimates(estimator, problem, num_samples, 5) for problem in (shaped, flat))
            torch.testing.assert_close(found, wanted, rtol=ROUNDING, atol=ROUNDING, msg=kind.__name__)


@pytest.mark.filterwarnings("ignore:.* has learned nothing")
@each_estimator
def test_loss_and_update_of_one_number(spec: str) -> None:
    """As a training loop has them, of parameters that are numbers."""
    estimator = make_estimator(spec)
    for kind in (Numbers, LatentNumbers):
        problem = kind(())
        num_samples = supported(estimator, problem)
        if num_samples is None:
            continue
        params = {name: value.clone().requires_grad_() for name, value in problem.initial_params().items()}
        estimator.loss(problem, params, num_samples, IID(3, dtype=torch.float64)).backward()
        one = replicated(problem.initial_params(), 1)
        noise = estimator.draw(problem, one, num_samples, IID(3, dtype=torch.float64))
        for name, value in estimator.gradient(problem, one, noise).items():
            torch.testing.assert_close(params[name].grad, value[0], rtol=ROUNDING, atol=ROUNDING)
        after = estimator.update(problem, one, noise)
        again = flatten(after.gradient(problem, one, noise))
        assert again.isfinite().all(), kind.__name__


def test_the_exact_gradient_of_one_number() -> None:
    """f = log(1 + x²) at N(0.7, e^−0.2), integrated by SciPy."""
    from scipy import integrate, stats

    loc, scale = 0.7, math.exp(-0.2)

    def integral(score) -> float:
        value, _ = integrate.quad(
            lambda x: score((x - loc) / scale) * math.log1p(x * x) * stats.norm.pdf(x, loc, scale), -10, 12
        )
        return value

    wanted = [integral(lambda z: z / scale), integral(lambda z: z * z - 1)]
    assert exact_gradient(Numbers(())).tolist() == pytest.approx(wanted, rel=1e-7)
