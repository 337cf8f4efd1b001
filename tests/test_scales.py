"""Gradients that are huge, tiny, zero, beside others, or never seen: what a measurement says of them."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from estimators.interface import Params, Problem
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop


@dataclass(frozen=True)
class Weighed(Problem):
    """E Σ a_i x_i + b_i x_i² of x ~ N(1, 1): the gradient is a + 2b, the pathwise variance 4b²."""

    linear: tuple[float, ...] = (0.0, 0.0)
    square: tuple[float, ...] = (1.0, 1.0)

    def initial_params(self) -> Params:
        return {"loc": torch.ones(len(self.linear))}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x, params):
        return (x * x.new_tensor(self.linear) + x**2 * x.new_tensor(self.square)).sum(-1)

    def expected_cost(self, params):
        loc = params["loc"]
        return (loc * loc.new_tensor(self.linear) + (loc**2 + 1) * loc.new_tensor(self.square)).sum(-1)


@dataclass(frozen=True)
class Beyond(Problem):
    """P(x > a) of x ~ N(loc, 1)."""

    bound: float = 4.0
    differentiable = False

    def initial_params(self) -> Params:
        return {"loc": torch.zeros(1)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x, params):
        return (x[..., 0] > self.bound).to(x.dtype)

    def expected_cost(self, params):
        return torch.special.ndtr(params["loc"] - self.bound).sum(-1)


@dataclass(frozen=True)
class Flat(Problem):
    """A constant cost of three bits, whose gradient is 0 but for what enumeration rounds."""

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([0.3, -0.7, 1.1])}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Bernoulli(logits=params["logits"]), 1)

    def cost(self, x, params):
        return torch.full_like(x[..., 0], 3.3)

    def expected_cost(self, params):
        q = self.distribution(params)
        states = torch.cartesian_prod(*[params["logits"].new_tensor([0.0, 1.0])] * 3)
        return sum(3.3 * q.log_prob(state).exp() for state in states)


@dataclass(frozen=True)
class Exponential(Problem):
    """E exp(a x) of x ~ N(loc, 1)."""

    rate: float = 1.6

    def initial_params(self) -> Params:
        return {"loc": torch.zeros(1)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x, params):
        return (self.rate * x[..., 0]).exp()

    def expected_cost(self, params):
        return (self.rate * params["loc"] + self.rate**2 / 2).exp().sum(-1)


def found(
    problem: Problem,
    estimator: str = "pathwise",
    num_samples: int = 1,
    dtype: str = "float32",
    stop: Stop = Stop(replicates=20_032),  # noqa: B008
) -> Measurement:
    work = prepare(problem, make_estimator(estimator), num_samples, dtype=dtype)
    return estimate(work, find_reference(work), stop)


@pytest.mark.parametrize("scale", [1e20, 1e-30])
def test_cosines_of_gradients_whose_squares_leave_float32(scale: float) -> None:
    scaled, plain = found(Weighed(square=(scale, scale))), found(Weighed())
    assert scaled.cosine is not None and plain.cosine is not None
    assert scaled.cosine.low < plain.cosine.value < scaled.cosine.high and plain.cosine.value > 0.5
    assert scaled.total_variance.low < 8 * scale**2 < scaled.total_variance.high


def test_a_small_entry_has_its_own_variance_beside_a_large_one() -> None:
    """2 x of variance 4, beside a constant of a million."""
    one = found(Weighed((1e6, 0.0), (0.0, 1.0)))
    assert one.total_variance.low < 4 < one.total_variance.high
    assert one.mse is not None and one.mse.low < 4 < one.mse.high
    np.testing.assert_allclose(one.variance["loc"][0], 0)
    assert one.variance_low["loc"][1] < 4 < one.variance_high["loc"][1]
    assert one.verdict == "unbiased"


def test_zeros_of_a_cost_that_never_varied_leave_all_open() -> None:
    one = found(Beyond(6.0), "score-function")
    assert one.verdict == "undetermined" and one.detectable_bias == math.inf
    for interval in (one.total_variance, one.mse, one.squared_bias):
        assert interval is not None and (interval.low, interval.high) == (0, math.inf)
    assert one.cosine == (0, -1, 1)
    assert any("may have been missed" in text for text in one.warnings)


def test_sampling_goes_on_while_there_is_nothing_to_see() -> None:
    assert found(Beyond(3.5), "score-function", stop=Stop(replicates=64)).total_variance == (0, 0, math.inf)
    more = found(Beyond(6.0), "score-function", stop=Stop(max_replicates=100_000))
    assert more.stop_reason == "max_replicates"


def test_zeros_of_a_cost_that_varies_are_an_answer() -> None:
    """Pathwise through a step: its gradient is 0 everywhere, and wrong."""
    assert found(Beyond(0.5), "pathwise").verdict == "biased"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gradient_of_zero_is_as_exact_as_its_terms(dtype: str) -> None:
    one = found(Flat(), "score-function:control_variate=leave-one-out", 4, dtype)
    assert one.gradient_norm is not None and one.gradient_norm < 1e-14
    assert one.verdict != "biased" and one.total_variance == (0, 0, 0)


def test_the_tail_is_told_where_the_kurtosis_is_too_small() -> None:
    """Of exp(1.6 x) a fourth moment takes some 10^11 replicates to be seen."""
    heavy = found(Exponential(1.6), "score-function")
    assert any("heavy tails" in text for text in heavy.warnings)
    for light in (found(Weighed()), found(Weighed(), "score-function:control_variate=leave-one-out", 8)):
        assert not light.warnings
