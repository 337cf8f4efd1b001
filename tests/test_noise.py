"""Noise sources, seeds and the quantile functions that turn uniforms into other noise."""

import itertools

import numpy as np
import pytest
import scipy.special
import torch
from scipy import stats
from torch import Tensor

from estimators.noise import IID, NoiseSource, derive_seed, open_interval
from estimators.noise.quantiles import gamma_quantile, poisson_quantile
from estimators.noise.source import Shape

DTYPES = [torch.float32, torch.float64]
RARE = 1e-4
"""A p-value below this, at a fixed seed, is a fault."""


class Given(NoiseSource):
    """Hands out the uniforms that it was given."""

    def __init__(self, uniforms: Tensor):
        self.uniforms, self.device, self.dtype = uniforms, uniforms.device, uniforms.dtype

    def uniform(self, shape: Shape) -> Tensor:
        return self.uniforms.reshape(shape)

    def stream(self, purpose: str) -> NoiseSource:
        raise AssertionError("not needed")


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniforms_are_moved_off_the_ends(dtype: torch.dtype) -> None:
    ends = open_interval(torch.tensor([0.0, 1.0], dtype=dtype))
    assert 0 < ends[0] < ends[1] < 1
    assert torch.special.ndtri(ends).isfinite().all()
    assert torch.logit(ends).isfinite().all()
    inside = torch.tensor([0.25, 0.5], dtype=dtype)
    assert torch.equal(open_interval(inside.clone()), inside)


@pytest.mark.parametrize("dtype", DTYPES)
def test_iid_noise_is_repeatable_and_leaves_the_global_generator(dtype: torch.dtype) -> None:
    def draws(seed: int) -> list[Tensor]:
        source = IID(seed, "cpu", dtype)
        concentration = torch.full((5, 2), 0.7, dtype=dtype)
        return [
            source.uniform((3, 5, 2)),
            source.normal((3, 5, 2)),
            source.standard_gamma(concentration, 3),
            source.poisson(concentration, 3),
        ]

    state = torch.get_rng_state()
    first, again, other = draws(1), draws(1), draws(2)
    assert torch.equal(torch.get_rng_state(), state)
    for a, b, c in zip(first, again, other, strict=True):
        assert (a.shape, a.dtype) == ((3, 5, 2), dtype)
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_streams_depend_on_their_purpose_alone() -> None:
    plain, used = IID(3), IID(3)
    used.uniform((100,))
    used.stream("other").uniform((100,))
    assert torch.equal(plain.stream("fit").uniform((50,)), used.stream("fit").uniform((50,)))
    assert not torch.equal(plain.stream("a").uniform((50,)), plain.stream("b").uniform((50,)))
    assert not torch.equal(IID(3).stream("a").uniform((50,)), IID(3).uniform((50,)))


def test_a_stream_goes_on_and_does_not_start_again() -> None:
    source = IID(3)
    assert not torch.equal(source.stream("a").uniform((50,)), source.stream("a").uniform((50,)))


def test_derived_seeds_depend_on_every_part_and_on_their_order() -> None:
    parts = [(), (0,), (1,), ("a",), ("a", "b"), ("b", "a"), ("ab",), ("a", "b", 0), (0, "a", "b"), ("a", "", "b")]
    seeds = [derive_seed(*part) for part in parts]
    assert len(set(seeds)) == len(parts)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed("a", 1) == derive_seed("a", 1)


def test_a_derived_seed_is_the_same_on_every_machine() -> None:
    """Stored results are compared with new ones: whoever changes this number changes all noise."""
    assert derive_seed(0, "gaussian-quadratic", 1, "chunk", 0) == 6427261417071802588


@pytest.mark.parametrize(
    ("draw", "cdf"),
    [
        (lambda source: source.uniform((20_000,)), stats.uniform.cdf),
        (lambda source: source.normal((20_000,)), stats.norm.cdf),
        (lambda source: source.standard_gamma(torch.tensor(0.3), 20_000), stats.gamma(0.3).cdf),
        (lambda source: source.standard_gamma(torch.tensor(4.0), 20_000), stats.gamma(4.0).cdf),
    ],
    ids=["uniform", "normal", "gamma below 1", "gamma above 1"],
)
def test_iid_noise_has_its_distribution(draw, cdf) -> None:
    assert stats.kstest(draw(IID(0)).numpy(), cdf).pvalue > RARE


def test_iid_poisson_has_its_distribution() -> None:
    counts = np.bincount(IID(0).poisson(torch.tensor(2.5), 20_000).long().numpy(), minlength=20)
    observed = np.append(counts[:8], counts[8:].sum())
    expected = np.append(stats.poisson.pmf(range(8), 2.5), stats.poisson.sf(7, 2.5)) * 20_000
    assert stats.chisquare(observed, expected).pvalue > RARE


def test_what_a_source_has_no_sampler_for_comes_from_its_uniforms() -> None:
    u = np.random.default_rng(0).uniform(size=(200, 3))
    concentration, rate = np.array([0.4, 1.0, 30.0]), np.array([0.2, 3.0, 500.0])
    source = Given(torch.from_numpy(u))
    np.testing.assert_allclose(source.normal((200, 3)).numpy(), stats.norm.ppf(u), rtol=1e-9, atol=1e-12)
    gamma = source.standard_gamma(torch.from_numpy(concentration), 200).numpy()
    np.testing.assert_allclose(gamma, stats.gamma.ppf(u, concentration), rtol=1e-9)
    poisson = source.poisson(torch.from_numpy(rate), 200).numpy()
    np.testing.assert_array_equal(poisson, stats.poisson.ppf(u, rate))


LEVELS = [1e-15, 1e-8, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-8, 1 - 1e-13]


def grid(values: list[float], levels: list[float] = LEVELS) -> tuple[np.ndarray, np.ndarray]:
    u, value = np.array(list(itertools.product(levels, values))).T
    return u, value


def test_gamma_quantiles_agree_with_those_of_scipy() -> None:
    u, concentration = grid([0.01, 0.1, 0.5, 1.0, 1.5, 7.0, 100.0, 1e4])
    found = gamma_quantile(torch.from_numpy(u), torch.from_numpy(concentration)).numpy()
    expected = scipy.special.gammaincinv(concentration, u)
    # Rounding u moves the quantile by u·eps / density, which rules in the upper tail.
    density = stats.gamma.pdf(expected, concentration)
    slack = 16 * np.finfo(float).eps * u / np.maximum(density, 1e-300)
    representable = expected > 1e-300
    # torch's own incomplete gamma function is off by up to 2e-9 from a concentration of 20 on.
    assert (np.abs(found - expected) <= 1e-8 * expected + slack)[representable].all()
    assert (found > 0).all()


def test_poisson_quantiles_agree_with_those_of_scipy() -> None:
    u, rate = grid([1e-3, 0.3, 1.0, 8.0, 120.0, 1e4, 1e6], [*LEVELS, 0.123, 0.77])
    found = poisson_quantile(torch.from_numpy(u), torch.from_numpy(rate)).numpy()
    np.testing.assert_array_equal(found, stats.poisson.ppf(u, rate))


@pytest.mark.parametrize("dtype", DTYPES)
def test_quantiles_keep_the_dtype_of_the_uniforms(dtype: torch.dtype) -> None:
    u = open_interval(torch.tensor([0.0, 0.3, 1.0], dtype=dtype))
    for quantile in (gamma_quantile, poisson_quantile):
        found = quantile(u, torch.tensor(2.0, dtype=dtype))
        assert found.dtype == dtype
        assert found.isfinite().all()


def test_gamma_quantiles_stop_when_they_have_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newton's method doubles the digits with every step, so that ten are plenty."""
    calls = 0
    original = torch.special.gammainc

    def counted(a: Tensor, x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return original(a, x)

    monkeypatch.setattr(torch.special, "gammainc", counted)
    u = IID(0, dtype=torch.float64).uniform((10_000,))
    gamma_quantile(u, torch.tensor(5.0, dtype=torch.float64))
    assert calls <= 15
