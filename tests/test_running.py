"""Group moments that grow in place, against those of all replicates at once."""

import numpy as np
import pytest
import torch

from experiments.measuring import running
from experiments.measuring.running import Running
from experiments.statistics import GROUPS


def rows(count: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return 100 + torch.randn(count * GROUPS, size, generator=generator) * torch.logspace(-2, 4, size)


@pytest.mark.parametrize("width", [16, 2**10, 2**17])
def test_moments_are_those_of_all_replicates_whatever_the_slices(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added in blocks of one row for each group, and of several."""
    monkeypatch.setattr(running, "SLICE", width)
    blocks = [rows(count, 50) for count in (3, 1, 1, 7)]
    grown = Running(50)
    assert all(grown.add(block) for block in blocks)
    everything = torch.cat(blocks).double().numpy().reshape(12, GROUPS, 50)
    assert grown.count == 12
    np.testing.assert_allclose(grown.groups.mean, everything.mean(0), rtol=1e-13)
    np.testing.assert_allclose(grown.groups.deviations, 12 * everything.var(0), rtol=1e-11)


def test_a_snapshot_never_changes() -> None:
    grown = Running(3)
    grown.add(rows(2, 3))
    kept = grown.snapshot()
    before = kept.count, kept.mean.copy(), kept.deviations.copy()
    grown.add(rows(1, 3))
    grown.add(rows(4, 3))
    assert kept.count == before[0] and grown.groups.count == 7
    assert np.array_equal(kept.mean, before[1]) and np.array_equal(kept.deviations, before[2])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("count", [1, 2])
def test_what_is_not_finite_is_told(bad: float, count: int) -> None:
    spoiled = rows(count, 40)
    spoiled[5, 39] = bad
    assert not Running(40).add(spoiled) and Running(40).add(rows(count, 40))
