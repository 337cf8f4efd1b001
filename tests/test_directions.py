"""Random directions: forward gradients and evolution strategies, with the variances of quadratic and linear costs."""

import math
from dataclasses import dataclass

import pytest
import torch
from perturbed_costs import measured, work
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Params, Problem, Unsupported
from estimators.noise import IID
from estimators.noise.directions import DIRECTIONS, orthogonal
from estimators.registry import make_estimator
from experiments.measuring.measurement import Measurement

pytestmark = pytest.mark.usefixtures("small_chunks")


@pytest.mark.parametrize("name", DIRECTIONS)
def test_directions_have_mean_zero_and_identity_covariance(name: str) -> None:
    found = DIRECTIONS[name]((5, 40_000, 3), IID(0, dtype=torch.float64)).flatten(0, 1)
    moments = torch.cat([found, found.unsqueeze(-1).mul(found.unsqueeze(-2)).flatten(1) - torch.eye(3).flatten()], 1)
    assert (moments.mean(0).abs() <= 5 * moments.std(0) / math.sqrt(40_000)).all()


def test_orthogonal_directions_are_gaussian_each_by_itself() -> None:
    """Of three entries the first three are orthogonal, and so are the next; lengths and fourth moments are Gaussian."""
    found = orthogonal((5, 40_000, 3), IID(0, dtype=torch.float64))
    inner = torch.einsum("srp,trp->rst", found, found)
    assert (
        inner[:, 0, 1:3].abs().max() < 1e-9 and inner[:, 1, 2].abs().max() < 1e-9 and inner[:, 3, 4].abs().max() < 1e-9
    )
    assert inner[:, 2, 3].abs().max() > 1
    for one in found:
        for power, wanted in ((4, 3.0), (2, 1.0)):
            value = one**power
            assert ((value.mean(0) - wanted).abs() < 4.5 * value.std(0) / math.sqrt(40_000)).all()
        square = one.square().sum(-1)
        assert abs(float(square.var() - 6)) < 4.5 * float(((square - 3) ** 2).std()) / math.sqrt(40_000)


@pytest.mark.parametrize(
    ("spec", "num_samples", "second", "others"),
    [
        ("rademacher", 1, 4, 0.0),
        ("rademacher", 4, 4, 1.0),
        ("gaussian", 4, 6, 1.0),
        ("orthogonal", 4, 6, 0.0),
    ],
)
def test_the_variance_of_forward_gradients_of_a_quadratic(
    spec: str, num_samples: int, second: int, others: float
) -> None:
    """((P or P + 2) E|g_s|² + (S − 1) |g|²) / S − |g|²; orthogonal directions take away the products of two samples.

    In each of two dimensions g_s = (2x, 2xσε): E|g_s|² = 4 (μ² + σ²) + 4σ² (μ² + 3σ²), and g = (2μ, 2σ²).
    """
    found = measured(work("gaussian-quadratic:dim=2", f"forward-gradient:directions={spec}", num_samples))
    wanted = (second * 48 + others * (num_samples - 1) * 16) / num_samples - 16
    compare(found, wanted)
    assert found.total_variance.high / found.total_variance.low < 1.1


@dataclass(frozen=True)
class Linear(Problem):
    """f = c·x of x ~ N(θ, 1), whose slope along any direction is exact in both sides' difference."""

    def initial_params(self) -> Params:
        return {"theta": torch.zeros(3, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["theta"], torch.ones_like(params["theta"])), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x * torch.tensor([1.0, -2.0, 0.5]).to(x)).sum(-1)


@pytest.mark.parametrize(("directions", "wanted"), [("gaussian", 4 / 3), ("orthogonal", 5 / 3 - 1)])
def test_the_variance_of_evolution_strategies_of_a_linear_cost(directions: str, wanted: float) -> None:
    """Of P = 3 pairs: (P + 1) |c|² / P, and (P + 2) |c|² / P − |c|² if they are orthogonal."""
    compare(measured(work(Linear(), f"evolution-strategies:directions={directions}", 6)), wanted * 5.25)


def compare(found: Measurement, wanted: float) -> None:
    error = math.log(found.total_variance.high / found.total_variance.low) / 2 / 1.998
    assert abs(math.log(found.total_variance.value / wanted)) < 4 * error


def test_a_forward_gradient_is_the_projection_of_each_pathwise_gradient() -> None:
    made, plain = (work("gaussian-cosine:dim=2", spec, 3, "float64") for spec in ("forward-gradient", "pathwise"))
    noise, params = made.draw(IID(0, dtype=torch.float64), 5), made.params(5)
    wanted = torch.zeros(5, 4, dtype=torch.float64)
    for sample, v in zip(noise["x"], noise["directions"], strict=True):
        g = torch.cat([*plain.gradient(params, sample.unsqueeze(0)).values()], 1)
        wanted += (g * v).sum(1, keepdim=True) * v / 3
    torch.testing.assert_close(torch.cat([*made.gradient(params, noise).values()], 1), wanted)


@dataclass(frozen=True)
class OneWay(Linear):
    """A cost whose derivative is written for the backward pass alone."""

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return Square.apply(x).sum(-1)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x**2

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, slope: Tensor) -> Tensor:
        return 2 * slope * ctx.saved_tensors[0]


def test_what_has_no_forward_mode_is_refused_in_one_line() -> None:
    with pytest.raises(Unsupported, match=r"^forward mode fails on OneWay: .+$"):
        make_estimator("forward-gradient").require_support(OneWay(), 2)
