# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
"""Distributions that no room knows: their own samplers, and flows over what is known."""

import pytest
import torch
import torch.distributions as td
from sampled_families import RARE
from scipy import stats

from estimators.noise import IID
from estimators.noise.schemes import SCHEMES
from estimators.sampling import families

UNKNOWN = {
    "Cauchy": (lambda: td.Cauchy(torch.tensor([5.0, 9.0], requires_grad=True), 7.0), True),
    "LKJCholesky": (lambda: td.LKJCholesky(3, torch.tensor([0.5, 2.0])), False),
    "Geometric": (lambda: td.Geometric(torch.tensor([0.3, 0.6])), False),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_distribution_is_sampled_by_its_own_sampler(name: str) -> None:
    make, differentiable = UNKNOWN[name]
    q = make()
    transform = families.find(q)
    assert transform.differentiable == differentiable and not transform.structured
    torch.manual_seed(4)
    state = torch.get_rng_state()
    source = IID(0)
    noise = families.noise(q, 5, source)
    first, again = families.sample(q, noise), families.sample(q, noise)
    assert torch.equal(torch.get_rng_state(), state), "the global generator must be put back"
    assert first.shape == (5, *q.batch_shape, *q.event_shape)
    assert torch.equal(first, again)
    assert not torch.equal(families.sample(q, families.noise(q, 5, source)), first)
    assert torch.equal(families.sample(q, families.noise(q, 5, IID(0))), first)
    assert first.requires_grad == differentiable
    with pytest.raises(ValueError, match=f"{name} is sampled by its own sampler"):
        families.noise(q, 4, SCHEMES["sobol"](IID(0)))


def test_an_unknown_distribution_has_its_own_distribution() -> None:
    q = td.Cauchy(torch.tensor([5.0]), 7.0)
    x = families.sample(q, families.noise(q, 10_000, IID(0))).squeeze(-1)
    assert stats.kstest(x.numpy(), stats.cauchy(5, 7).cdf).pvalue > RARE


@pytest.mark.parametrize("structured", [False, True])
def test_a_normalizing_flow_is_its_base_through_its_transforms(structured: bool) -> None:
    """A triangular flow of two Gaussians: x₀ = exp(z₀), x₁ = a z₁ + b, behind an `Independent` and alone."""
    shift = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    base = td.Independent(td.Normal(torch.zeros(1, 2, dtype=torch.float64), 1.0), 1)
    flow = td.TransformedDistribution(
        base,
        [
            td.transforms.AffineTransform(torch.stack([shift, -shift], -1), 0.5, event_dim=1),
            td.transforms.StackTransform([td.transforms.ExpTransform(), td.transforms.TanhTransform()], dim=-1),
        ],
    )
    transform = families.find(flow)
    assert transform.differentiable and transform.fixed_noise and transform.structured
    source = IID(0, dtype=torch.float64)
    noise = families.noise(flow, 64, SCHEMES["antithetic"](source) if structured else source)
    assert noise.shape == (64, 1, 2)
    x = families.sample(flow, noise)
    torch.testing.assert_close(x[..., 0], (0.3 + 0.5 * noise[..., 0]).exp())
    torch.testing.assert_close(x[..., 1], (-0.3 + 0.5 * noise[..., 1]).tanh())
    (slope,) = torch.autograd.grad(x.sum(), shift)
    torch.testing.assert_close(slope, (x[..., 0] - (1 - x[..., 1] ** 2)).sum().detach().reshape(1))
    assert set(families.forms(flow)) == {"location-scale", "inverse-cdf", "implicit"}
