"""Scrambled Sobol points."""

import itertools

import numpy as np
import pytest
import torch
from test_schemes import DTYPES, REPLICATES, correlation, counts_in_cells, draw, scheme

from estimators.noise.sobol import MAX_DIMENSIONS


class Net:
    """Unscrambled Sobol' points as torch makes them, and the boxes of volume 1/S that they fill."""

    dimensions = 6

    def __init__(self, log_size: int):
        self.size = 2**log_size
        self.points = torch.quasirandom.SobolEngine(self.dimensions).draw(self.size).double()[:, None]
        self.shapes = [(2**k, 2 ** (log_size - k)) for k in range(log_size + 1)]


@pytest.mark.parametrize("log_size", [3, 6])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_scrambling_keeps_the_net(log_size: int, dtype: torch.dtype) -> None:
    """A nested scramble permutes elementary boxes: as many hold 0, 1, 2, … points as before. Owen 1995."""
    net = Net(log_size)
    scrambled = scheme("sobol", dtype=dtype).uniform((net.size, 64, net.dimensions)).double()
    for axes in itertools.combinations(range(net.dimensions), 2):
        for shape in net.shapes:
            before = counts_in_cells(net.points[..., axes], list(shape)).sort(-1).values
            after = counts_in_cells(scrambled[..., axes], list(shape)).sort(-1).values
            assert torch.equal(after, before.expand_as(after))


def test_scrambled_digits_are_fair_coins() -> None:
    """Every digit of every point, and the agreement of any two digits of a point, is 0 or 1 with equal odds."""
    points = draw("sobol", 8, 3)
    digits = torch.stack([(points * 2**k).long() % 2 for k in range(1, 13)]).double()
    error = 1 / (2 * np.sqrt(REPLICATES))
    assert (digits.mean(2) - 0.5).abs().max() < 5 * error
    for a, b in itertools.combinations(range(12), 2):
        assert ((digits[a] == digits[b]).double().mean(1) - 0.5).abs().max() < 5 * error


def test_digits_below_the_common_ones_are_independent() -> None:
    """Two points that share k digits share them scrambled, differ in the next, and from there on are independent."""
    points = draw("sobol", 16, 1).squeeze(-1)
    ranks = points.argsort(0).argsort(0)  # 16 points in 16 slices: the rank is the leading four digits
    for first, second in itertools.combinations(range(16), 2):
        differing = (ranks[first] ^ ranks[second]).float().log2().floor().unique()
        assert len(differing) == 1, "the number of common digits is no matter of chance"
        a, b = ((points[i] * 16) % 1 for i in (first, second))
        assert correlation(a.numpy(), b.numpy()) < 4.5


def test_sobol_on_a_smooth_function() -> None:
    """exp(u₁ + u₂), 1024 points: the error falls almost as S⁻³ in variance (Owen 1997), and the mean is (e − 1)²."""
    points = scheme("sobol").uniform((1024, 512, 2))
    means = points.sum(-1).exp().mean(0).numpy()
    assert abs(means.mean() - (np.e - 1) ** 2) < 5 * means.std() / np.sqrt(512)
    iid = ((np.e**2 - 1) ** 2 / 4 - (np.e - 1) ** 4) / 1024
    assert means.var() < iid / 1e5


def test_sobol_in_many_dimensions() -> None:
    points = scheme("sobol").uniform((4, 8, MAX_DIMENSIONS))
    for axis in (0, MAX_DIMENSIONS // 2, MAX_DIMENSIONS - 1):
        assert (counts_in_cells(points[..., axis : axis + 1], [4]) == 1).all()
