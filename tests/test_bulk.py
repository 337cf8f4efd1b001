"""Large draws of noise: their laws, that they are repeatable, and that small ones are torch's."""

import math
from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor

from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from experiments.gradients.bulk import BLOCK, LARGE, Bulk, finished
from experiments.gradients.prepare import prepare

DTYPES = [torch.float32, torch.float64]
RARE = 1e-4
"""A p-value below this, at a fixed seed, is a fault."""
ODD = (3, 40_001, 5)
CPU = torch.device("cpu")

DRAWS: dict[str, Callable[[IID, tuple[int, ...]], Tensor]] = {
    "uniform": lambda source, shape: source.uniform(shape),
    "normal": lambda source, shape: source.normal(shape),
    "gamma": lambda source, shape: source.standard_gamma(torch.full(shape[1:], 0.7, dtype=source.dtype), shape[0]),
}
LAWS = {"uniform": stats.uniform, "normal": stats.norm, "gamma": stats.gamma(0.7)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DRAWS)
def test_large_draws_have_their_law_in_every_part(name: str, dtype: torch.dtype) -> None:
    drawn = DRAWS[name](Bulk(5, CPU, dtype), ODD)
    assert (drawn.shape, drawn.dtype) == (ODD, dtype) and drawn.is_contiguous()
    flat = drawn.reshape(-1).double().numpy()
    parts = [flat[:100_000], flat[-100_000:], flat[::7], flat[1::2]]
    assert min(stats.kstest(part, LAWS[name].cdf).pvalue for part in parts) > RARE


@pytest.mark.parametrize("dtype", DTYPES)
def test_normals_have_the_moments_and_tails_of_a_normal(dtype: torch.dtype) -> None:
    x = Bulk(1, CPU, dtype).normal((20_000_000,)).double()
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10_170)):
        assert abs(float((x**power).mean()) - mean) < 4.5 * math.sqrt(variance / len(x)), power
    for edge in (3.0, 4.0, 4.5):
        expected = 2 * stats.norm.sf(edge) * len(x)
        assert abs(int((x.abs() > edge).sum()) - expected) < 4.5 * math.sqrt(expected), edge


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniforms_reach_to_both_ends(dtype: torch.dtype) -> None:
    u = Bulk(1, CPU, dtype).uniform((20_000_000,))
    assert 0 < u.min() < 1e-6 and 1 - 1e-6 < u.max() < 1


def test_gammas_of_tiny_concentrations_are_positive() -> None:
    drawn = Bulk(0).standard_gamma(torch.full((LARGE,), 1e-3), 2)
    assert drawn.min() == torch.finfo(torch.float32).tiny


@pytest.mark.parametrize("name", DRAWS)
def test_neighbours_and_partners_are_uncorrelated(name: str) -> None:
    """The two normals of a pair lie half a block apart, the two halves of a word next to each other."""
    x = DRAWS[name](Bulk(2), (2, 500_000)).reshape(-1).double()
    for lag in (1, 2, BLOCK // 2, BLOCK):
        for function in (torch.clone, torch.abs, torch.square):
            one, other = function(x[:-lag]), function(x[lag:])
            correlation = float(torch.corrcoef(torch.stack([one, other]))[0, 1])
            assert abs(correlation) < 4.5 / math.sqrt(len(one)), (lag, function)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DRAWS)
def test_same_seed_same_numbers_and_every_stream_its_own(name: str, dtype: torch.dtype) -> None:
    def drawn(source: IID) -> Tensor:
        return DRAWS[name](source, (2, LARGE))

    state = torch.get_rng_state()
    source, again = Bulk(3, CPU, dtype), Bulk(3, CPU, dtype)
    first = drawn(source)
    assert torch.equal(first, drawn(again)) and not torch.equal(first, drawn(source))
    for seed in (4, 3 + 2**16, 3 + 2**32, 3 + 2**62):
        assert not torch.equal(first, drawn(Bulk(seed, CPU, dtype))), seed
    stream = Bulk(3, CPU, dtype).stream("fit")
    assert isinstance(stream, Bulk) and not torch.equal(first, drawn(stream))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DRAWS)
def test_a_shorter_draw_is_the_beginning_of_a_longer_one(name: str, dtype: torch.dtype) -> None:
    short, long = (DRAWS[name](Bulk(3, CPU, dtype), (samples, 7001)) for samples in (3, 5))
    assert torch.equal(short, long[:3])


@pytest.mark.parametrize("name", DRAWS)
def test_small_draws_are_those_of_a_training_step(name: str) -> None:
    assert torch.equal(DRAWS[name](Bulk(3), (4, 30)), DRAWS[name](IID(3), (4, 30)))


def test_words_at_their_ends_give_finite_normals_and_uniforms_inside() -> None:
    ends = torch.tensor([0, -(2**31), 2**31 - 1, 1], dtype=torch.int32).repeat(LARGE)
    assert finished("normal", ends, (2 * LARGE,)).isfinite().all()
    uniform = finished("uniform", ends[: 2 * LARGE], (2 * LARGE,))
    assert ((uniform > 0) & (uniform < 1)).all()


def test_measurements_draw_from_it() -> None:
    work = prepare(make_problem("gaussian-quadratic"), make_estimator("pathwise"), 1)
    assert type(work.source("chunk", 0)) is Bulk


def test_a_concentration_that_is_none_is_left_to_torch() -> None:
    found = Bulk(0).standard_gamma(torch.tensor([math.nan, 2.0]).expand(LARGE, 2), 1)
    assert found.shape == (1, LARGE, 2) and found[..., 1].isfinite().all()
