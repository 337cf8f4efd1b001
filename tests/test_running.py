"""Group moments that grow in place, against those of all replicates at once."""

import numpy as np
import pytest
import torch
from measurements import work

from experiments.measuring import moments, running
from experiments.measuring.find_reference import find_reference
from experiments.measuring.moments import Sampling
from experiments.measuring.reference import Reference
from experiments.measuring.running import Running
from experiments.statistics import GROUPS, bias_test, squared_bias, total_variance


def rows(count: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return 100 + torch.randn(count * GROUPS, size, generator=generator) * torch.logspace(-2, 4, size)


ALL = slice(0, GROUPS)


def added(moments: Running, *blocks: torch.Tensor) -> bool:
    """Whether all that was added to all groups is finite."""
    finite = True
    for block in blocks:
        finite &= moments.add(block, ALL, 0)
        moments.complete(len(block) // GROUPS)
    return finite


@pytest.mark.parametrize("width", [16, 2**10, 2**17])
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_moments_are_those_of_all_replicates_whatever_the_slices(
    dtype: torch.dtype, rounding: float, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added in blocks of one row for each group, and of several."""
    monkeypatch.setattr(running, "SLICE", width)
    blocks = [rows(count, 50).to(dtype) for count in (3, 1, 1, 7)]
    grown = Running(50)
    assert added(grown, *blocks)
    assert_moments(grown, torch.cat(blocks), rounding)


def assert_moments(grown: Running, everything: torch.Tensor, rounding: float) -> None:
    """The means in standard deviations, the deviations relative to themselves, against numpy in float64."""
    values = everything.double().numpy().reshape(-1, GROUPS, everything.shape[1])
    deviation = values.std(0)
    assert grown.count == len(values)
    assert (np.abs(grown.groups.mean - values.mean(0)) <= rounding * deviation + 1e-14 * np.abs(values).max(0)).all()
    np.testing.assert_allclose(grown.groups.deviations, len(values) * deviation**2, rtol=10 * rounding, atol=0)


SCALES = (1e-40, 1e-30, 1e-18, 1.0, 1e10, 1e20, 3e37)


@pytest.mark.parametrize("counts", [(1, 8, 4, 2, 1), (16, 16), (8, 1, 16), (2, 2, 2)])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shift", [0.0, 1.0, 1e6])
def test_sums_in_float32_keep_their_digits(counts: tuple[int, ...], scale: float, shift: float) -> None:
    """Whatever the scale, and where a mean is a million times the spread; beside entries of other scales and of 0."""
    generator = torch.Generator().manual_seed(len(counts))
    if shift * scale > 1e36:
        pytest.skip("float32 does not hold it")
    blocks = [torch.randn(count * GROUPS, 6, generator=generator, dtype=torch.float64) for count in counts]
    scales = torch.tensor([1.0, scale, 1.0, 0.0, scale, 1.0], dtype=torch.float64)
    blocks = [((shift + block) * scales).float() for block in blocks]
    grown = Running(6)
    assert added(grown, *blocks)
    assert_moments(grown, torch.cat(blocks), 5e-7)


@pytest.mark.parametrize("spec", ["pathwise", "score-function", "exact", "finite-differences:step=1"])
@pytest.mark.parametrize("measured", [False, True])
def test_of_very_many_entries_half_the_memory_gives_the_same_figures(
    spec: str, measured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Biased or not, noisy or not, against an exact reference or a measured one."""
    found = []
    for wide in (running.WIDE, 1):
        monkeypatch.setattr(running, "WIDE", wide)
        sampling = Sampling(work(spec, "gaussian-cosine:dim=4"), None)
        others = Sampling(work("pathwise", "gaussian-cosine:dim=4").on_noise_of(1), None)
        for each in (sampling, others):
            for _ in range(5):
                each.grow(2**13)
        exact = find_reference(sampling.workload)
        assert isinstance(exact, Reference)
        reference = others.moments.groups.mean if measured else exact.gradient
        groups, floor = sampling.moments.groups, sampling.rounding_floor
        test = bias_test(groups, reference, floor)
        found.append(
            [
                total_variance(groups, floor).value,
                *squared_bias(groups, reference),
                test.p_value,
                test.detectable,
            ]
        )
        assert groups.mean.dtype == (np.float32 if wide == 1 else np.float64)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)  # 64 units of float32 in the last place


@pytest.mark.parametrize("at", [0, 64, 1100])
def test_one_replicate_far_from_the_others_costs_no_digits(at: int) -> None:
    values = torch.zeros(25 * GROUPS, 2)
    values[:, 1] = torch.randn(len(values), generator=torch.Generator().manual_seed(1))
    values[at] = 1e6
    grown = Running(2)
    added(grown, *values.split([GROUPS, 8 * GROUPS, 16 * GROUPS]))
    assert_moments(grown, values, 5e-7)


@pytest.mark.parametrize("value", [0.1, 1e6 + 1 / 3, 1e-33, -7e30])
def test_what_never_varies_has_no_deviations(value: float) -> None:
    grown = Running(1)
    added(grown, *(torch.full((count * GROUPS, 1), value) for count in (3, 1, 7, 16)))
    assert not grown.groups.deviations.any() and (grown.groups.mean == torch.tensor(value).item()).all()


@pytest.mark.parametrize("chunk", [4, 32, 256])
def test_a_chunk_may_go_to_few_groups(chunk: int) -> None:
    """Each group gets the estimates that it would get from all chunks in order, in one part or in several."""
    each, size = 16, 7
    grown, values = Running(size), torch.randn(2, GROUPS * each, size, dtype=torch.float64)
    for block in values:
        for first in range(0, len(block), chunk):
            groups = slice(first // each, max((first + chunk) // each, first // each + 1))
            number = groups.stop - groups.start
            part = block[first : first + chunk].unflatten(0, (number, -1)).transpose(0, 1).flatten(0, 1)
            grown.add(part, groups, first % each)
        grown.complete(each)
    expected = values.unflatten(1, (GROUPS, each)).transpose(0, 1).flatten(1, 2).numpy()
    np.testing.assert_allclose(grown.groups.mean, expected.mean(1), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(grown.groups.deviations, 2 * each * expected.var(1), rtol=1e-10)


def test_a_snapshot_never_changes() -> None:
    grown = Running(3)
    added(grown, rows(2, 3))
    kept = grown.snapshot()
    before = kept.count, kept.mean.copy(), kept.deviations.copy()
    added(grown, rows(1, 3), rows(4, 3))
    assert kept.count == before[0] and grown.groups.count == 7
    assert np.array_equal(kept.mean, before[1]) and np.array_equal(kept.deviations, before[2])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("count", [1, 2])
def test_what_is_not_finite_is_told(bad: float, count: int) -> None:
    spoiled = rows(count, 40)
    spoiled[5, 39] = bad
    assert not added(Running(40), spoiled) and added(Running(40), rows(count, 40))


def test_a_block_that_is_interrupted_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some groups have had more estimates than others, of which no figure may be made."""
    monkeypatch.setattr(moments, "MANY", 1)
    sampling = Sampling(work("pathwise", "gaussian-quadratic:dim=2").smaller(64), None)
    sampling.grow(1024)
    taken = []

    def take(self: Sampling, *arguments: object) -> None:
        taken.append(arguments)
        if len(taken) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Sampling, "_take", take)
    with pytest.raises(KeyboardInterrupt):
        sampling.grow(1024)
    assert sampling.replicates == 0 and sampling.groups is None
