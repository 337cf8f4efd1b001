# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
"""Distributions one by one: several variables, discrete ones, mixtures, and what has no samples."""

import numpy as np
import pytest
import torch
import torch.distributions as td
from sampled_families import RARE
from scipy import special, stats
from torch import Tensor

from estimators.noise import IID
from estimators.noise.schemes import SCHEMES
from estimators.sampling import families
from estimators.sampling.distributions.logistic import Logistic


def test_multivariate_normal() -> None:
    root = torch.tensor([[1.0, 0.0], [0.8, 0.5]], dtype=torch.float64, requires_grad=True)
    loc = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    q = td.MultivariateNormal(loc.expand(3, 2), scale_tril=root.expand(3, 2, 2))
    noise = families.noise(q, 10_000, IID(0, dtype=torch.float64))
    assert noise.shape == (10_000, 3, 2)
    x = families.sample(q, noise)
    white = torch.linalg.solve_triangular(root, (x - loc).reshape(-1, 2).T, upper=False).detach().numpy()
    for axis in white:
        assert stats.kstest(axis, stats.norm.cdf).pvalue > RARE
    assert abs(np.corrcoef(white)[0, 1]) * np.sqrt(30_000) < 4.5
    by_loc, by_root = torch.autograd.grad(x[0, 0, 1], [loc, root])
    assert by_loc.tolist() == [0, 1]
    torch.testing.assert_close(by_root[1], noise[0, 0])


THREE_WAYS = [[0.1, 0.6, 0.3], [0.5, 0.0, 0.5]]
DISCRETE = {
    "Bernoulli": (td.Bernoulli(torch.tensor([0.2, 0.7])), [[0.8, 0.2], [0.3, 0.7]]),
    "Categorical": (td.Categorical(torch.tensor(THREE_WAYS)), THREE_WAYS),
    "OneHotCategorical": (td.OneHotCategorical(torch.tensor(THREE_WAYS)), THREE_WAYS),
}


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("structured", [False, True])
def test_discrete_samples_have_their_probabilities(name: str, structured: bool) -> None:
    q, probabilities = DISCRETE[name]
    source = IID(0) if not structured else SCHEMES["latin-hypercube"](IID(0))
    transform = families.find(q)
    assert not transform.differentiable and transform.fixed_noise
    noise = families.noise(q, 6000, source)
    x = families.sample(q, noise)
    assert x.shape == (6000, *q.batch_shape, *q.event_shape)
    if name == "OneHotCategorical":
        assert (x.sum(-1) == 1).all()
        x = x.argmax(-1)
    for row, expected in enumerate(probabilities):
        counts = np.bincount(x[:, row].long().numpy(), minlength=len(expected))
        wanted = np.array(expected) * 6000
        assert (counts[wanted == 0] == 0).all()
        if structured:
            assert np.abs(counts - wanted).max() <= 2, "strata leave a stratum's worth of chance at each step"
        else:
            assert stats.chisquare(counts[wanted > 0], wanted[wanted > 0]).pvalue > RARE


def test_poisson_samples_are_their_own_noise() -> None:
    q = td.Independent(td.Poisson(torch.tensor([[0.5, 4.0]])), 1)
    transform = families.find(q)
    assert not transform.differentiable and not transform.fixed_noise
    for source in (IID(0), SCHEMES["latin-hypercube"](IID(0))):
        noise = families.noise(q, 8000, source)
        assert families.sample(q, noise) is noise
        for axis, (rate, last) in enumerate([(0.5, 4), (4.0, 11)]):
            counts = np.bincount(noise[:, 0, axis].long().numpy(), minlength=last)
            observed = np.append(counts[:last], counts[last:].sum())
            expected = np.append(stats.poisson(rate).pmf(range(last)), stats.poisson(rate).sf(last - 1)) * 8000
            assert stats.chisquare(observed, expected).pvalue > RARE


def test_logistic_distribution() -> None:
    q, frozen = Logistic(torch.tensor([0.3, -1.0], dtype=torch.float64), 0.8), stats.logistic([0.3, -1.0], 0.8)
    x = torch.tensor([[-3.0, 0.1], [0.3, 50.0]], dtype=torch.float64)
    np.testing.assert_allclose(q.log_prob(x).numpy(), frozen.logpdf(x.numpy()), rtol=1e-12)
    np.testing.assert_allclose(q.cdf(x).numpy(), frozen.cdf(x.numpy()), rtol=1e-12)
    np.testing.assert_allclose(q.icdf(q.cdf(x[:1])).numpy(), x[:1].numpy(), rtol=1e-9)
    np.testing.assert_allclose(q.mean.numpy(), frozen.mean())
    np.testing.assert_allclose(q.variance.numpy(), frozen.var())
    assert q.expand((3, 2)).batch_shape == (3, 2)
    torch.manual_seed(0)
    sample = q.rsample(torch.Size((10_000,)))
    assert sample.shape == (10_000, 2)
    assert stats.kstest(sample[:, 0].numpy(), stats.logistic(0.3, 0.8).cdf).pvalue > RARE


def test_dirichlet() -> None:
    concentration = torch.tensor([0.5, 2.0, 1.2], dtype=torch.float64, requires_grad=True)
    size = 50_000
    q = td.Dirichlet(concentration.expand(size, 3))
    for source in (IID(0, dtype=torch.float64), SCHEMES["latin-hypercube"](IID(0, dtype=torch.float64))):
        noise = families.noise(q, 2, source)
        x = families.sample(q, noise)
        assert x.shape == (2, size, 3) and torch.equal(x.detach(), families.values(q, noise))
        for axis, (a, b) in enumerate([(0.5, 3.2), (2.0, 1.7), (1.2, 2.5)]):
            assert stats.kstest(x[0, :, axis].detach().numpy(), stats.beta(a, b).cdf).pvalue > RARE
        # E[x₀ x₁] = a₀ a₁ / (A (A + 1)), whose derivative in every concentration is known.
        values = (x[..., 0] * x[..., 1]).mean(0)
        (slopes,) = torch.autograd.grad(values.sum(), q.concentration)
        a = np.array([0.5, 2.0, 1.2])
        total = a.sum()
        mean = a[0] * a[1] / (total * (total + 1))
        wanted = mean * (np.array([1 / a[0], 1 / a[1], 0]) - 1 / total - 1 / (total + 1))
        error = np.abs(slopes.mean(0).numpy() - wanted)
        assert (error < 4.5 * slopes.std(0).numpy() / size**0.5 + 0.005 * np.abs(wanted)).all()


class TwoBells:
    """A mixture of two correlated Gaussians in the plane, all of whose parameters are free."""

    def __init__(self, size: int):
        start = {
            "logits": [0.3, -0.3],
            "loc": [[-1.0, 0.5], [1.0, -0.2]],
            "root": [[[0.7, 0.0], [0.5, 0.6]], [[1.1, 0.0], [-0.4, 0.9]]],
        }
        self.values = {
            name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in start.items()
        }
        rows = {name: value.expand(size, *value.shape) for name, value in self.values.items()}
        self.rows = rows
        self.q = td.MixtureSameFamily(
            td.Categorical(logits=rows["logits"]), td.MultivariateNormal(rows["loc"], scale_tril=rows["root"])
        )


@pytest.mark.parametrize("structured", [False, True])
def test_mixture_in_the_plane(structured: bool) -> None:
    """E[(x₀ + 2x₁)²], whose gradient in weights, means and roots is known."""
    size = 20_000
    bells = TwoBells(size)
    source = IID(0, dtype=torch.float64)
    noise = families.noise(bells.q, 4, SCHEMES["sobol"](source) if structured else source)
    x = families.sample(bells.q, noise)
    assert x.shape == (4, size, 2) and torch.equal(x.detach(), noise)
    direction = torch.tensor([1.0, 2.0], dtype=torch.float64)
    cost = ((x @ direction) ** 2).mean(0)
    slopes = torch.autograd.grad(cost.sum(), list(bells.rows.values()))
    weights = bells.values["logits"].softmax(-1)
    along = bells.values["root"].transpose(-1, -2) @ direction
    expected = (weights * ((bells.values["loc"] @ direction) ** 2 + (along**2).sum(-1))).sum()
    wanted = torch.autograd.grad(expected, list(bells.values.values()))
    cost = cost.detach()
    assert abs(float(cost.mean() - expected.detach())) < 4.5 * float(cost.std()) / size**0.5
    for found, exact in zip(slopes, wanted, strict=True):
        error = (found.mean(0) - exact).abs()
        lower = torch.ones_like(exact).tril().bool() if exact.ndim == 3 else torch.ones_like(exact).bool()
        assert (error <= 4.5 * found.std(0) / size**0.5 + 1e-12)[lower].all()


def test_mixture_noise_is_the_ancestral_sample_and_its_inverse() -> None:
    """The conditional distribution functions of a sample are independent uniforms (Rosenblatt 1952)."""
    from estimators.sampling.rosenblatt import _conditionals, _mixture

    bells = TwoBells(1)
    with torch.no_grad():
        x = families.noise(bells.q, 20_000, IID(1, dtype=torch.float64))
        before: list[Tensor] = []
        levels = []
        for column, conditional in zip(x.unbind(-1), _conditionals(_mixture(bells.q), before), strict=False):
            levels.append(torch.remainder(conditional.level(column), 1).numpy().ravel())
            before.append(column)
    assert all(stats.kstest(level, stats.uniform.cdf).pvalue > RARE for level in levels)
    assert stats.spearmanr(*levels).pvalue > RARE


def test_von_mises_mean_cosine() -> None:
    """∇ E[cos x] in the concentration is the derivative of I₁/I₀."""
    size = 100_000
    concentration = torch.full((size,), 1.7, dtype=torch.float64, requires_grad=True)
    q = td.VonMises(torch.zeros_like(concentration), concentration)
    noise = families.noise(q, 1, IID(0, dtype=torch.float64))
    slopes = torch.autograd.grad(families.sample(q, noise).cos().sum(), concentration)[0]
    k = 1.7
    ratio = special.ive(1, k) / special.ive(0, k)
    wanted = 1 - ratio / k - ratio**2
    assert abs(float(slopes.mean()) - wanted) < 4.5 * float(slopes.std()) / size**0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_has_no_samples_gives_nan_and_leaves_the_rest_alone(dtype: torch.dtype):
    """torch's samplers raise at NaN, reject for ever at 0, NaN and large concentrations, or give negative counts."""
    at = torch.tensor([2.0, torch.nan, torch.inf, 0.0, 1e30], dtype=dtype)
    for q in (td.VonMises(0 * at.nan_to_num(), at, validate_args=False), td.Poisson(at, validate_args=False)):
        found = families.noise(q, 100, IID(0, dtype=dtype))
        assert found[:, 1:3].isnan().all() and found[:, [0, 3]].isfinite().all()
        assert found[:, 0].std() > 0.5
        if isinstance(q, td.VonMises):
            assert found[:, 4].abs().max() < 1e-6 and found[:, 3].std() > 1
        else:
            assert (found[:, 3] == 0).all() and found[:, 4].isnan().all()
