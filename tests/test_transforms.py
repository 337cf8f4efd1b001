# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
"""From noise to samples: each form has the right distribution and the right derivative in the parameters."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import special, stats
from torch import Tensor

from estimators.noise import IID, open_interval
from estimators.noise.schemes import SCHEMES
from estimators.sampling import families
from estimators.sampling.distributions.logistic import Logistic
from estimators.sampling.distributions.truncated_normal import TruncatedNormal

RARE = 1e-4
"""A p-value below this, at a fixed seed, is a fault."""
DTYPES = [torch.float32, torch.float64]


class Kumaraswamy:
    def __init__(self, a: float, b: float):
        self.a, self.b = a, b

    def cdf(self, x):
        return 1 - (1 - np.clip(x, 0, 1) ** self.a) ** self.b

    def pdf(self, x):
        return self.a * self.b * x ** (self.a - 1) * (1 - x**self.a) ** (self.b - 1)

    def ppf(self, u):
        return (1 - (1 - u) ** (1 / self.b)) ** (1 / self.a)

    def isf(self, u):
        return self.ppf(1 - u)

    def support(self):
        return 0.0, 1.0


class VonMises:
    """On one turn from −π on; scipy's own goes round and round."""

    def __init__(self, loc: float, concentration: float):
        self.turn = stats.vonmises(concentration, loc)

    def cdf(self, x):
        return self.turn.cdf(np.clip(x, -np.pi, np.pi)) - self.turn.cdf(-np.pi)

    def pdf(self, x):
        return self.turn.pdf(x)

    def support(self):
        return -np.pi, np.pi


class Mixed:
    """A mixture of two frozen distributions."""

    def __init__(self, weight: float, first, second):
        self.weight, self.first, self.second = weight, first, second

    def cdf(self, x):
        return self.weight * self.first.cdf(x) + (1 - self.weight) * self.second.cdf(x)

    def pdf(self, x):
        return self.weight * self.first.pdf(x) + (1 - self.weight) * self.second.pdf(x)

    def support(self):
        return -np.inf, np.inf


def NormalMixture(a: float, b: float, loc: float, scale: float) -> Mixed:
    return Mixed(1 / (1 + np.exp(b - a)), stats.norm(loc, scale), stats.norm(1 - loc, 1 + scale))


def LaplaceMixture(a: float, loc: float) -> Mixed:
    return Mixed(1 / (1 + np.exp(-2 * a)), stats.laplace(loc), stats.laplace(1 - loc, 2))


@dataclass(frozen=True)
class Family:
    """A distribution in torch and in scipy."""

    make: Callable[..., td.Distribution]
    point: tuple[float, ...]
    """Its parameters."""
    scipy: Callable[..., stats.rv_continuous]
    forms: tuple[str, ...]

    def at(self, replicates: int = 1, dtype: torch.dtype = torch.float64) -> tuple[td.Distribution, list[Tensor]]:
        values = [torch.full((replicates,), value, dtype=dtype, requires_grad=True) for value in self.point]
        return self.make(*values), values


THREE = ("location-scale", "inverse-cdf", "implicit")
FAMILIES = {
    "Normal": Family(td.Normal, (0.7, 1.3), stats.norm, THREE),
    "LogNormal": Family(td.LogNormal, (0.2, 0.6), lambda m, s: stats.lognorm(s, scale=np.exp(m)), THREE),
    "Laplace": Family(td.Laplace, (-0.4, 1.5), stats.laplace, THREE),
    "Logistic": Family(Logistic, (0.3, 0.8), stats.logistic, THREE),
    "Gumbel": Family(td.Gumbel, (1.0, 2.0), stats.gumbel_r, THREE),
    "Exponential": Family(td.Exponential, (1.7,), lambda rate: stats.expon(scale=1 / rate), THREE),
    "Uniform": Family(td.Uniform, (-1.0, 2.5), lambda low, high: stats.uniform(low, high - low), THREE),
    "Weibull": Family(td.Weibull, (1.4, 0.8), lambda s, c: stats.weibull_min(c, scale=s), ("inverse-cdf", "implicit")),
    "Gamma": Family(td.Gamma, (0.7, 2.0), lambda a, b: stats.gamma(a, scale=1 / b), ("implicit",)),
    "Beta": Family(td.Beta, (0.8, 2.5), stats.beta, ("implicit",)),
    "StudentT": Family(td.StudentT, (5.0, 1.0, 2.0), stats.t, ("implicit",)),
    "VonMises": Family(td.VonMises, (0.0, 1.7), lambda loc, k: VonMises(loc, k), ("implicit",)),
    "Kumaraswamy": Family(td.Kumaraswamy, (1.5, 2.5), lambda a, b: Kumaraswamy(a, b), ("inverse-cdf", "implicit")),
    "TruncatedNormal": Family(
        lambda loc, scale: TruncatedNormal(loc, scale, -1.0, 2.0),
        (0.5, 1.2),
        lambda m, s: stats.truncnorm((-1 - m) / s, (2 - m) / s, m, s),
        ("inverse-cdf", "implicit"),
    ),
    "tail of a normal": Family(
        lambda loc, scale: TruncatedNormal(loc, scale, 6.0, 8.0),
        (0.0, 1.0),
        lambda m, s: stats.truncnorm((6 - m) / s, (8 - m) / s, m, s),
        ("inverse-cdf", "implicit"),
    ),
    "mixture": Family(
        lambda a, b, loc, scale: td.MixtureSameFamily(
            td.Categorical(logits=torch.stack([a, b], -1)),
            td.Normal(torch.stack([loc, 1 - loc], -1), torch.stack([scale, 1 + scale], -1)),
        ),
        (0.3, -0.4, -1.0, 0.5),
        lambda a, b, loc, scale: NormalMixture(a, b, loc, scale),
        ("implicit",),
    ),
    "mixture of others": Family(
        lambda a, loc: td.MixtureSameFamily(
            td.Categorical(logits=torch.stack([a, -a], -1)),
            td.Laplace(torch.stack([loc, 1 - loc], -1), torch.stack([1 + 0 * loc, 2 + 0 * loc], -1)),
        ),
        (0.3, -1.0),
        lambda a, loc: LaplaceMixture(a, loc),
        ("implicit",),
    ),
}
NOT_BY_LEVEL = ("Beta", "StudentT")
"""Functions of two variates: their derivative given x is −∇F / q in expectation only."""
OWN_SAMPLER = ("mixture of others",)
FIXED = [name for name, family in FAMILIES.items() if len(family.forms) > 1]
"""Their noise does not depend on the parameters."""
FORMS = [(name, form) for name, family in FAMILIES.items() for form in family.forms]
each_family = pytest.mark.parametrize("name", FAMILIES)
each_form = pytest.mark.parametrize(("name", "form"), FORMS)


def derivatives(family: Family, form: str, noise: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The samples `[S]`, and their derivative in each parameter."""
    size = noise.shape[0]
    q, values = family.at(size)
    x = families.sample(q, noise.reshape(1, size), form).squeeze(0)
    return x.detach(), list(torch.autograd.grad(x.sum(), values))


@each_family
def test_forms_are_listed_with_the_default_first(name: str) -> None:
    q, _ = FAMILIES[name].at()
    assert tuple(families.forms(q)) == FAMILIES[name].forms
    assert families.find(q) == families.find(q, FAMILIES[name].forms[0])
    assert families.find(td.Independent(q, 1)) == families.find(q)
    kind = type(q).__name__
    with pytest.raises(ValueError, match=f"{kind} has no form 'magic'; it has {', '.join(FAMILIES[name].forms)}"):
        families.find(q, "magic")


@each_form
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_samples_have_the_distribution(name: str, form: str, dtype: torch.dtype) -> None:
    q, _ = FAMILIES[name].at(2, dtype)
    with torch.no_grad():
        x = families.sample(q, families.noise(q, 10_000, IID(0, dtype=dtype), form), form)
    assert (x.shape, x.dtype) == ((10_000, 2), dtype)
    frozen = FAMILIES[name].scipy(*FAMILIES[name].point)
    assert stats.kstest(x.double().numpy().ravel(), frozen.cdf).pvalue > RARE
    assert stats.spearmanr(*x.T.numpy()).pvalue > RARE, "the replicates depend on each other"


@each_form
def test_structured_noise_goes_through_every_form(name: str, form: str) -> None:
    """Strata of the uniforms are strata of the samples: with 64 of them the empirical CDF is 1/64 off at most."""
    if name in OWN_SAMPLER or name == "StudentT":
        pytest.skip("its noise is a seed, or has two dimensions")
    q, _ = FAMILIES[name].at(5)
    source = SCHEMES["grid" if name != "Beta" else "latin-hypercube"](IID(0, dtype=torch.float64))
    with torch.no_grad():
        x = families.sample(q, families.noise(q, 64, source, form), form).numpy()
    if name == "Beta":
        return
    levels = np.sort(FAMILIES[name].scipy(*FAMILIES[name].point).cdf(x), axis=0)
    strata = np.arange(64)[:, None] / 64
    assert ((levels > strata - 1e-6) & (levels < strata + 1 / 64 + 1e-6)).all()


@each_form
def test_derivative_is_the_implicit_one(name: str, form: str) -> None:
    """−∇θF(x; θ) / q(x; θ) at the sample, F by central differences in scipy. Figurnov, Mohamed & Mnih 2018."""
    if name in NOT_BY_LEVEL:
        pytest.skip("only in expectation")
    family = FAMILIES[name]
    q, _ = family.at(200)
    noise = families.noise(q, 1, IID(1, dtype=torch.float64), form).reshape(200)
    x, slopes = derivatives(family, form, noise)
    density = family.scipy(*family.point).pdf(x.numpy())
    for index, slope in enumerate(slopes):
        step = 1e-5
        up, down = (np.array(family.point) + sign * step * np.eye(len(family.point))[index] for sign in (1, -1))
        change = (family.scipy(*up).cdf(x.numpy()) - family.scipy(*down).cdf(x.numpy())) / (2 * step)
        if name == "VonMises" and index == 0:
            change = -density  # loc turns the circle, and F starts where it was cut
        # Central differences of a CDF are good to about eps / step and step² of its scale.
        slack = 1e-9 / density + 1e-8
        if name == "Gamma" and index == 0:
            slack = slack + 0.005 * np.abs(change / density)  # torch's approximation of this derivative
        assert (np.abs(slope.numpy() + change / density) <= slack).all()


@pytest.mark.parametrize("name", FIXED)
def test_inverse_cdf_is_the_quantile_function(name: str) -> None:
    """And the implicit form gives the same sample and derivative from the same noise."""
    family = FAMILIES[name]
    u = torch.rand(300, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    x, slopes = derivatives(family, "inverse-cdf", u)
    np.testing.assert_allclose(x.numpy(), quantile(name, u.numpy()), rtol=1e-9, atol=1e-12)
    implicit_x, implicit_slopes = derivatives(family, "implicit", u)
    torch.testing.assert_close(implicit_x, x)
    for implicit, explicit in zip(implicit_slopes, slopes, strict=True):
        torch.testing.assert_close(implicit, explicit, rtol=1e-8, atol=1e-10)


def quantile(name: str, u: np.ndarray) -> np.ndarray:
    """The exponential and the Weibull family use −log(u), the quantile of 1 − u."""
    frozen = FAMILIES[name].scipy(*FAMILIES[name].point)
    return frozen.isf(u) if name in ("Exponential", "Weibull", "Kumaraswamy") else frozen.ppf(u)


@each_form
def test_expected_derivative(name: str, form: str) -> None:
    """E[h'(x) ∇θ x] = ∇θ E[h(x)] for h(x) = sin(x + 0.4).

    By parts, E[h(x)] = h(b) − ∫ h'(x) F(x) dx, which has no singularity where a density does.
    """
    family, size = FAMILIES[name], 100_000
    noise = families.noise(family.at(1)[0], size, IID(3, dtype=torch.float64), form)
    q, values = family.at(size)
    x = families.sample(q, noise.reshape(1, size, *noise.shape[2:]), form)
    products = torch.autograd.grad((x + 0.4).sin().sum(), values)
    support = family.scipy(*family.point).support()
    torch_only = 0.005 if name in ("Gamma", *NOT_BY_LEVEL) else 0.0  # its derivative of Gamma variates is that far off
    for index, product in enumerate(products):
        step = 1e-5
        up, down = (np.array(family.point) + sign * step * np.eye(len(family.point))[index] for sign in (1, -1))
        above, below = (level_integral(family.scipy(*point), support) for point in (up, down))
        wanted = -(above - below) / (2 * step)
        slack = 4.5 * float(product.std()) / size**0.5 + torch_only * float(product.abs().mean())
        assert abs(float(product.mean()) - wanted) < slack + 1e-6


def level_integral(frozen, support: tuple[float, float]) -> float:
    """∫ cos(x + 0.4) F(x) dx, over slightly more than the support before it moves."""
    low, high = max(support[0], -60.0), min(support[1], 60.0)
    panels = np.union1d(np.linspace(0, 1, 600), np.geomspace(1e-8, 1, 100))
    edges = np.concatenate([[low - 0.1], low + (high - low) * panels, [high + 0.1]])
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2
    points = edges[:-1, None] + half * (nodes + 1)
    return float((half * weights * np.cos(points + 0.4) * frozen.cdf(points)).sum())


@each_form
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_extreme_noise_gives_finite_samples_and_derivatives(name: str, form: str, dtype: torch.dtype) -> None:
    class Extreme(IID):
        """The smallest and the largest uniform that there is."""

        def uniform(self, shape: tuple[int, ...]) -> Tensor:
            ends = open_interval(torch.tensor([0.0, 1.0], dtype=dtype))
            return ends.reshape(2, *[1] * (len(shape) - 1)).expand(shape)

        def normal(self, shape: tuple[int, ...]) -> Tensor:
            return torch.special.ndtri(self.uniform(shape))

    q, values = FAMILIES[name].at(3, dtype)
    x = families.sample(q, families.noise(q, 2, Extreme(0, dtype=dtype), form), form)
    assert x.isfinite().all()
    assert all(slope.isfinite().all() for slope in torch.autograd.grad(x.sum(), values))


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


def test_which_transforms_have_gaussian_noise_and_noise_of_their_own() -> None:
    for name, family in FAMILIES.items():
        for form in family.forms:
            transform = families.find(family.at()[0], form)
            assert transform.differentiable
            assert transform.structured == (name not in OWN_SAMPLER)
            assert transform.gaussian_noise == (name in ("Normal", "LogNormal") and form == "location-scale")
            assert transform.fixed_noise == (name in FIXED)


UNKNOWN = {
    "FisherSnedecor": (lambda: td.FisherSnedecor(torch.tensor([5.0, 9.0], requires_grad=True), 7.0), True),
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
    q = td.FisherSnedecor(torch.tensor([5.0]), 7.0)
    x = families.sample(q, families.noise(q, 10_000, IID(0))).squeeze(-1)
    assert stats.kstest(x.numpy(), stats.f(5, 7).cdf).pvalue > RARE


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
