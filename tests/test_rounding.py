"""The study of rounding: against float64 computed by hand, and what it says of overflow, NaN and underflow."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem
from estimators.noise import NoiseSource
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from experiments.engine import run
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.rounding import rounding
from experiments.measuring.running import Running
from experiments.store import load
from experiments.sweep import Stop, read_sweep
from experiments.terminal.progress import narrator


def workload(problem: str, estimator: str | Estimator = "pathwise", dtype: str = "float32") -> Workload:
    made = make_estimator(estimator) if isinstance(estimator, str) else estimator
    return prepare(make_problem(problem), made, 4, dtype=dtype)


@dataclass(frozen=True)
class Odd(Estimator):
    """Pathwise, with gradients that are infinite, NaN or 0 in the first, second and third of every four replicates."""

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        plain = Pathwise().surrogate(problem, params, noise)
        if plain.dtype == torch.float64:
            return plain
        factors = torch.tensor([math.inf, math.nan, 0.0, 1.0])
        return plain * factors.repeat(len(plain) // 4 + 1)[: len(plain)]


def test_figures_are_those_of_the_first_chunk() -> None:
    """x = exp(log_scale)·ε: the gradient in log_scale is the mean of 2x², by numpy in both precisions."""
    work = workload("log-parameterization:dim=3,scale=0.3")
    noise = work.noise(0).double().numpy()
    exact = (2 * (np.exp(work.point["log_scale"].double().numpy()) * noise) ** 2).mean(0)
    found = work.gradients(0).double().numpy()
    errors = np.abs(found / exact - 1)
    figures = rounding(work)
    assert figures["smallest_gradient"] == found.min() and figures["largest_gradient"] == found.max()
    assert figures["median_relative_error"] == pytest.approx(np.median(errors), rel=1e-6)
    assert figures["largest_relative_error"] == pytest.approx(errors.max(), rel=1e-6)
    assert 1e-8 < figures["median_relative_error"] < figures["largest_relative_error"] < 1e-5
    assert (figures["overflows"], figures["nans"], figures["underflows"]) == (0, 0, 0)


def test_float64_has_no_error_against_itself() -> None:
    for estimator in ("pathwise", "score-function:control_variate=optimal-baseline", "stratified:scheme=sobol"):
        figures = rounding(workload("gaussian-quadratic:dim=2", estimator, dtype="float64"))
        assert figures["largest_relative_error"] < 1e-9


def test_what_is_learned_is_taken_over() -> None:
    """The same fitted coefficients in both: another fit would differ by per cents."""
    figures = rounding(workload("gaussian-quadratic:dim=2", "score-function:control_variate=optimal-baseline"))
    assert figures["median_relative_error"] < 1e-5


def test_what_leaves_the_range_is_counted() -> None:
    work = workload("log-parameterization:dim=2", Odd())
    figures, quarter = rounding(work), work.chunk * 2 / 4
    assert (figures["overflows"], figures["nans"], figures["underflows"]) == (quarter, quarter, quarter)
    assert figures["largest_relative_error"] == 1  # of the zeros


def test_overflow_and_underflow_at_the_ends_of_float32() -> None:
    big = rounding(workload("log-parameterization:dim=2,scale=1e25"))
    assert big["overflows"] + big["nans"] > 0 and "largest_gradient" not in big and "median_relative_error" not in big
    small = rounding(workload("log-parameterization:dim=2,scale=1e-25"))
    assert small["underflows"] > 0 and small["median_relative_error"] == 1


@pytest.mark.parametrize("scale", [1e-14, 1e14])
def test_variances_beyond_the_squares_of_float32_are_measured(scale: float) -> None:
    """g = 2x² in log_scale has the variance 8 scale⁴: its square leaves float32 long before it does itself."""
    found = estimate(workload(f"log-parameterization:dim=1,scale={scale!r}"), None, Stop(replicates=20_000))
    low, high = (bound["log_scale"].item() for bound in (found.variance_low, found.variance_high))
    assert found.nonfinite == 0 and low < 8 * scale**4 / 4 < high


def test_moments_of_entries_that_leave_float32_are_those_of_float64() -> None:
    """Beside entries that do not: one whose squares vanish in some groups, one whose squares and sums overflow."""
    scales = torch.tensor([1.0, 1e-25, 2e37, 0.0, 1e3])
    generator = torch.Generator().manual_seed(0)
    gradients = (5 + torch.randn(16, 64, 5, generator=generator)) * scales
    gradients[:, 32:, 1] *= 1e20
    running = Running(5)
    assert running.add(gradients.flatten(0, 1), slice(0, 64), 0)
    running.complete(16)
    found, exact = running.groups, gradients.double()
    np.testing.assert_allclose(found.mean, exact.mean(0).numpy(), rtol=1e-6)
    np.testing.assert_allclose(found.deviations, exact.var(0, correction=0).numpy() * 16, rtol=1e-5)
    running = Running(5)
    running.add(gradients[0], slice(0, 64), 0)
    running.complete(1)
    single = running.groups
    assert np.array_equal(single.mean, exact[0].numpy()) and not single.deviations.any()


def test_a_sweep_stores_it_as_diagnostics(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    text = 'rounding = true\nestimator = "pathwise"\nproblem = "log-parameterization:dim=1"\n'
    file.write_text(text + "[stop]\nreplicates = 640\n[timing]\nenabled = false\n")
    with narrator() as progress:
        run(read_sweep(file), tmp_path / "results", progress)
    (diagnostics,) = load(tmp_path / "results").cells["diagnostics"]
    assert "median_relative_error" in diagnostics and "underflows" in diagnostics


# Bias of the dtype


def test_rounding_where_costs_nearly_cancel_is_no_bias():
    """f(1) − f(0) = 0.002 of two costs of 0.25, so that float32 is off by some 3e-5, always in the same direction."""
    work = prepare(make_problem("bernoulli-toy:dim=1"), make_estimator("measure-valued"), 16)
    found = estimate(work, find_reference(work), Stop(replicates=20_000))
    assert found.squared_bias is not None and found.gradient_norm is not None
    assert 1e-5 < found.squared_bias.value**0.5 / found.gradient_norm < 1e-4
    assert found.total_variance.value < (1e-4 * found.gradient_norm) ** 2
    assert found.verdict == "unbiased"


def test_a_bias_of_as_little_that_is_not_of_the_dtype_is_seen():
    work = workload("bernoulli-toy:dim=1,t=0.2", Scaled(1 + 1e-4))
    found = estimate(work, find_reference(work), Stop(replicates=20_000))
    assert found.verdict == "biased"


@dataclass(frozen=True)
class Scaled(Estimator):
    factor: float = 1.0

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        return make_estimator("measure-valued").draw(problem, params, num_samples, source)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        return self.factor * make_estimator("measure-valued").surrogate(problem, params, noise)
