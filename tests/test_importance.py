"""The health of importance weights: the tail of their distribution, and who is warned when."""

import math
import warnings

import pytest
import torch

from estimators.registry import make_estimator, make_problem
from estimators.wrappers.pareto import pareto_shape
from experiments import measure


def tail(k: float, size: int) -> torch.Tensor:
    """Logarithms of 1 + generalized Pareto variates of shape k."""
    u = torch.rand(size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return ((u**-k - 1) / k + 1).log()


@pytest.mark.parametrize("k", [0.2, 0.5, 0.8, 1.3])
@pytest.mark.parametrize("size", [5_000, 200_000])
def test_pareto_shape_is_found(k: float, size: int) -> None:
    """Its standard error is about (1 + k)/√M with M = 3√N weights in the tail."""
    error = (1 + k) / math.sqrt(3 * math.sqrt(size))
    assert abs(pareto_shape(tail(k, size)) - k) < 4 * error


def test_weights_with_a_bound_that_many_reach_have_no_tail() -> None:
    """Those of a shifted Laplace: the largest are the same but for rounding, which no tail is fitted to."""
    generator = torch.Generator().manual_seed(0)
    reached = torch.full((1_000,), 0.6, dtype=torch.float64)
    reached += 1e-16 * torch.randn(1_000, generator=generator, dtype=torch.float64)
    assert pareto_shape(torch.cat([reached, torch.linspace(-1, 0.5, 1_000, dtype=torch.float64)])) == -float("inf")


def test_pareto_shape_has_no_scale_and_no_order() -> None:
    weights = tail(0.6, 10_000)
    found = pareto_shape(weights)
    assert pareto_shape(weights + 700) == pytest.approx(found, abs=1e-6)
    assert pareto_shape(weights.flip(0)) == found


def test_pareto_shape_of_what_has_no_tail() -> None:
    assert math.isnan(pareto_shape(torch.zeros(20)))
    assert pareto_shape(torch.zeros(1000)) == -math.inf
    bounded = torch.rand(100_000, generator=torch.Generator().manual_seed(0)).log()
    assert pareto_shape(bounded) < -0.5


@pytest.mark.parametrize("scale", [0.6, 0.75])
def test_tail_of_a_narrow_proposal(scale: float) -> None:
    """N(0, 1) against N(0, c²): P(w > t) ~ t^(−1/(1 − c²)) up to logarithms, so that k = 1 − c²."""
    found = measure(
        make_problem("gaussian-quadratic:dim=1"),
        make_estimator(f"importance-weighted:scale={scale}"),
        8,
        replicates=20_000,
    )
    assert abs(found.diagnostics["pareto_k"] - (1 - scale**2)) < 0.1
    assert any("no finite variance" in warning for warning in found.warnings) == (scale < math.sqrt(0.5))


@pytest.mark.parametrize("scale", [4, 50, 1000])
def test_a_proposal_that_misses_is_warned_of(scale: float) -> None:
    """Not one NaN, and not silent."""
    for self_normalized in ("false", "true"):
        spec = f"importance-weighted:proposal=shifted,scale={scale},self_normalized={self_normalized}"
        found = measure(make_problem("gaussian-quadratic:dim=1"), make_estimator(spec), 8, replicates=10_000)
        assert found.nonfinite == 0 and math.isfinite(found.total_variance.value)
        assert any("importance weights" in warning for warning in found.warnings)
        assert 1 <= found.diagnostics["effective_sample_size"] <= 8
        assert found.diagnostics["largest_weight_share"] > 0.5


def test_good_proposals_are_not_warned_of() -> None:
    for spec in ("importance-weighted", "importance-weighted:proposal=defensive", "importance-weighted:base=pathwise"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = measure(make_problem("gaussian-quadratic:dim=1"), make_estimator(spec), 16, replicates=20_000)
        assert found.diagnostics["pareto_k"] < 0.5
        assert found.diagnostics["effective_sample_size"] > 8
        assert 1 / 16 <= found.diagnostics["largest_weight_share"] < 0.5


@pytest.mark.parametrize("form", ["inverse-cdf", "implicit"])
def test_proposals_on_the_noise_are_for_gaussian_noise_alone(form: str) -> None:
    """A uniform moved out of the unit interval stands for no sample."""
    made = make_estimator(f"importance-weighted:base=(pathwise:form={form})")
    reason = made.unsupported(make_problem("gaussian-quadratic:dim=1"), 2)
    assert reason == "a proposal on the noise needs Gaussian noise, which Normal does not have"
