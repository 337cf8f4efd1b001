"""Structured noise: every point uniform by itself, the promised structure over the points, replicates independent."""

import itertools
from pkgutil import iter_modules

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from estimators.noise import IID, schemes
from estimators.noise.scheme import Scheme
from estimators.noise.schemes import SCHEMES
from estimators.noise.sobol import MAX_DIMENSIONS

RARE = 1e-4
"""A p-value below this, at a fixed seed, is a fault."""


REPLICATES = 4096


DTYPES = [torch.float32, torch.float64]


SIZES = [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 2), (16, 2), (64, 3)]


def scheme(name: str, seed: int = 0, dtype: torch.dtype = torch.float64) -> Scheme:
    return SCHEMES[name](IID(seed, "cpu", dtype))


def draw(name: str, num_samples: int, dimensions: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return scheme(name, dtype=dtype).uniform((num_samples, REPLICATES, dimensions))


CASES = [
    pytest.param(name, *size, id=f"{name}-{size[0]}x{size[1]}")
    for name, size in itertools.product(SCHEMES, SIZES)
    if SCHEMES[name].unsupported(*size) is None
]


each_case = pytest.mark.parametrize(("name", "num_samples", "dimensions"), CASES)


each_scheme = pytest.mark.parametrize("name", SCHEMES)


def test_a_scheme_is_a_file_of_its_name() -> None:
    assert [module.name.replace("_", "-") for module in iter_modules(schemes.__path__)] == list(SCHEMES)


def one_of_each(points: Tensor) -> np.ndarray:
    """A point of each replicate picked at random, `[R, D]`."""
    pick = torch.randint(len(points), (REPLICATES,), generator=torch.Generator().manual_seed(9))
    return points[pick, torch.arange(REPLICATES)].numpy()


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """In standard errors."""
    return abs(np.corrcoef(a, b)[0, 1]) * np.sqrt(len(a))


@each_case
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_points_lie_in_the_open_interval(name: str, num_samples: int, dimensions: int, dtype: torch.dtype) -> None:
    points = draw(name, num_samples, dimensions, dtype)
    assert (points.shape, points.dtype) == ((num_samples, REPLICATES, dimensions), dtype)
    assert (points > 0).all() and (points < 1).all()


@each_case
def test_a_point_picked_at_random_is_uniform(name: str, num_samples: int, dimensions: int) -> None:
    picked = one_of_each(draw(name, num_samples, dimensions))
    for axis in picked.T:
        assert stats.kstest(axis, stats.uniform.cdf).pvalue > RARE
    for a, b in itertools.combinations(picked.T, 2):
        assert correlation(a, b) < 4.5, "the axes of a point depend on each other"


@each_case
def test_replicates_are_independent(name: str, num_samples: int, dimensions: int) -> None:
    points = draw(name, num_samples, dimensions).numpy()
    for axis in range(dimensions):
        assert correlation(points[0, :-1, axis], points[0, 1:, axis]) < 4.5
        assert len(np.unique(points[0, :, axis])) == REPLICATES


@each_scheme
def test_same_source_same_points(name: str) -> None:
    shape = (4, 3, 2)
    assert torch.equal(scheme(name, 1).uniform(shape), scheme(name, 1).uniform(shape))
    assert not torch.equal(scheme(name, 1).uniform(shape), scheme(name, 2).uniform(shape))
    twice = scheme(name, 1)
    assert not torch.equal(twice.uniform(shape), twice.uniform(shape))


@each_scheme
def test_events_of_any_shape_are_flattened(name: str) -> None:
    flat = scheme(name).uniform((16, 5, 4))
    assert torch.equal(scheme(name).uniform((16, 5, 2, 2)), flat.reshape(16, 5, 2, 2))
    assert torch.equal(scheme(name).uniform((16, 5)), scheme(name).uniform((16, 5, 1)).squeeze(-1))


@each_scheme
def test_other_streams_are_plain_noise(name: str) -> None:
    assert torch.equal(
        scheme(name).stream("fit").uniform((7,)), IID(0, dtype=torch.float64).stream("fit").uniform((7,))
    )


@each_scheme
def test_normals_have_the_structure_of_the_uniforms(name: str) -> None:
    normals = scheme(name).normal((16, REPLICATES, 2))
    assert stats.kstest(one_of_each(normals)[:, 0], stats.norm.cdf).pvalue > RARE
    if name != "antithetic":
        expected = torch.special.ndtri(scheme(name).uniform((16, REPLICATES, 2)))
        assert torch.equal(normals, expected)


def counts_in_cells(points: Tensor, cells: list[int]) -> Tensor:
    """How many points of each replicate lie in each cell of a grid with so many cells an axis, `[R, cells]`."""
    place = torch.zeros(points.shape[:2], dtype=torch.int64)
    for axis, number in enumerate(cells):
        place = place * number + (points[..., axis] * number).long()
    return torch.nn.functional.one_hot(place, int(np.prod(cells))).sum(0)


def test_antithetic_points_come_in_mirrored_pairs() -> None:
    for dtype in DTYPES:
        points = scheme("antithetic", dtype=dtype).uniform((6, 50, 2))
        torch.testing.assert_close(points[:3] + points[3:], torch.ones_like(points[:3]))
        normals = scheme("antithetic", dtype=dtype).normal((6, 50, 2))
        assert torch.equal(normals[:3], -normals[3:])


@pytest.mark.parametrize(("num_samples", "dimensions"), [(7, 1), (9, 2), (16, 2), (27, 3)])
def test_grid_has_a_point_in_every_cell(num_samples: int, dimensions: int) -> None:
    side = round(num_samples ** (1 / dimensions))
    assert (counts_in_cells(draw("grid", num_samples, dimensions), [side] * dimensions) == 1).all()


@pytest.mark.parametrize("name", ["latin-hypercube", "systematic", "sobol"])
@pytest.mark.parametrize("num_samples", [2, 5, 8, 32])
def test_a_point_in_every_slice_of_every_axis(name: str, num_samples: int) -> None:
    if name == "sobol" and num_samples == 5:
        pytest.skip("Sobol' points fill the slices where their number is a power of two")
    points = draw(name, num_samples, 4)
    for axis in range(4):
        assert (counts_in_cells(points[..., axis : axis + 1], [num_samples]) == 1).all()


def test_systematic_points_are_equally_spaced() -> None:
    gaps = draw("systematic", 5, 3).sort(0).values.diff(dim=0)
    torch.testing.assert_close(gaps, torch.full_like(gaps, 1 / 5))


def variance_of_the_mean(values: Tensor) -> tuple[float, float]:
    """Of the mean over samples `[S, R]`, with its standard error."""
    means = values.mean(0).numpy()
    squares = (means - means.mean()) ** 2
    return float(squares.mean()), float(squares.std() / np.sqrt(len(squares)))


@pytest.mark.parametrize("num_samples", [2, 8, 32])
@pytest.mark.parametrize(
    ("name", "dimensions", "exact"),
    [
        ("grid", 1, lambda s: 1 / (12 * s**3)),
        ("latin-hypercube", 1, lambda s: 1 / (12 * s**3)),
        ("sobol", 1, lambda s: 1 / (12 * s**3)),
        ("latin-hypercube", 3, lambda s: 3 / (12 * s**3)),
        ("systematic", 1, lambda s: 1 / (12 * s**2)),
        ("systematic", 3, lambda s: 3 / (12 * s**2)),
    ],
)
def test_variance_of_a_linear_mean(name: str, dimensions: int, exact, num_samples: int) -> None:
    """f = Σ u: strata leave 1/12 S⁻³ an axis, systematic points 1/12 S⁻², where iid points leave 1/12 S⁻¹."""
    variance, error = variance_of_the_mean(draw(name, num_samples, dimensions).sum(-1))
    assert abs(variance - exact(num_samples)) < 4.5 * error


def test_variance_of_a_linear_mean_on_a_square_grid() -> None:
    variance, error = variance_of_the_mean(draw("grid", 16, 2).sum(-1))
    assert abs(variance - 2 / (12 * 4**2 * 16)) < 4.5 * error


def test_antithetic_points_cancel_a_linear_function() -> None:
    assert variance_of_the_mean(draw("antithetic", 4, 3).sum(-1))[0] < 1e-30


@pytest.mark.parametrize(
    ("name", "num_samples", "dimensions", "said"),
    [
        ("antithetic", 3, 1, "even"),
        ("antithetic", 1, 1, "even"),
        ("grid", 8, 2, "2-th power"),
        ("grid", 1, 2, "above 1"),
        ("grid", 2, 31, "31-th power"),
        ("sobol", 4, MAX_DIMENSIONS + 1, str(MAX_DIMENSIONS)),
    ],
)
def test_what_a_scheme_cannot_place_is_refused(name: str, num_samples: int, dimensions: int, said: str) -> None:
    reason = SCHEMES[name].unsupported(num_samples, dimensions)
    assert reason is not None and said in reason
    with pytest.raises(ValueError, match=said):
        scheme(name).uniform((num_samples, 2, dimensions))
    if name == "antithetic":
        with pytest.raises(ValueError, match=said):
            scheme(name).normal((num_samples, 2, dimensions))
