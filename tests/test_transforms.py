# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
"""From noise to samples: each form has the right distribution and the right derivative in the parameters."""

import numpy as np
import pytest
import torch
import torch.distributions as td
from sampled_families import DTYPES, FAMILIES, FIXED, FORMS, NOT_BY_LEVEL, OWN_SAMPLER, RARE, TWO_GAMMAS, derivatives
from scipy import stats
from torch import Tensor

from estimators.noise import IID, open_interval
from estimators.noise.schemes import SCHEMES
from estimators.sampling import families

each_family = pytest.mark.parametrize("name", FAMILIES)
each_form = pytest.mark.parametrize(("name", "form"), FORMS)


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
    source = SCHEMES["grid" if name not in TWO_GAMMAS else "latin-hypercube"](IID(0, dtype=torch.float64))
    with torch.no_grad():
        x = families.sample(q, families.noise(q, 64, source, form), form).numpy()
    if name in TWO_GAMMAS:
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
        if name in ("Gamma", "InverseGamma") and index == 0:
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
    torch_only = (
        0.005 if name in ("Gamma", "InverseGamma", *NOT_BY_LEVEL) else 0.0
    )  # its derivative of Gamma variates is that far off
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


def test_which_transforms_have_gaussian_noise_and_noise_of_their_own() -> None:
    for name, family in FAMILIES.items():
        for form in family.forms:
            transform = families.find(family.at()[0], form)
            assert transform.differentiable
            assert transform.structured == (name not in OWN_SAMPLER)
            assert transform.gaussian_noise == (name in ("Normal", "LogNormal") and form == "location-scale")
            assert transform.fixed_noise == (name in FIXED)
