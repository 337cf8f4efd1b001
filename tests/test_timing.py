"""Wall-clock time of gradients, against figures that are known from outside."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem
from estimators.noise import NoiseSource
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.statistics import Interval
from experiments.timing import rounds as timing
from experiments.timing.rounds import Timed, Timing, device_name
from experiments.timing.rounds import time_gradients as time_warm

pytestmark = pytest.mark.usefixtures("full_blocks")

CPU = torch.device("cpu")
SECONDS = 0.004


def time_gradients(workloads, rounds, **settings):
    return time_warm([Timed.of(workload) for workload in workloads], rounds, **settings)


@dataclass(frozen=True)
class Sleepy(Estimator):
    """Pathwise after a nap, in the draw or in the surrogate."""

    in_draw: bool = False
    seconds: float = SECONDS

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        if self.in_draw:
            time.sleep(self.seconds)
        return Pathwise().draw(problem, params, num_samples, source)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        if not self.in_draw:
            time.sleep(self.seconds)
        return Pathwise().surrogate(problem, params, noise)


def work(estimator: Estimator, num_samples: int = 64, problem: str = "gaussian-quadratic:dim=4") -> Workload:
    return prepare(make_problem(problem), estimator, num_samples)


@pytest.mark.parametrize("in_draw", [False, True])
def test_a_gradient_takes_at_least_as_long_as_it_sleeps(in_draw: bool) -> None:
    """Draw and surrogate both count; a chunk pays the nap once, shared by its replicates."""
    workload = work(Sleepy(in_draw))
    (found,) = time_gradients([workload], rounds=3)
    assert found.latency.shape == found.batched.shape == (3,)
    assert (found.latency >= SECONDS).all()
    assert (found.batched >= SECONDS / workload.chunk).all()
    assert np.median(found.batched) < SECONDS, "the batched figure is for one replicate"


def test_the_slower_estimator_is_found_slower_in_every_round() -> None:
    slow, fast = time_gradients([work(Sleepy(seconds=0.01)), work(Pathwise())], rounds=5)
    assert (slow.latency > fast.latency).all()


def test_the_timing_of_a_short_measurement_is_short() -> None:
    """Blocks are shorter, and of a chunk that takes longer than its block there are fewer; it stays a full chunk."""
    workload = work(Sleepy())
    usual, short = Timed.of(workload), Timed.of(workload, 0.1)
    assert short.calls[0] == 1 < usual.calls[0] and short.replicates == usual.replicates == workload.chunk
    (found,) = time_warm([short], timing.ROUNDS)
    assert len(found.latency) == timing.ROUNDS and len(found.batched) == timing.FEW_ROUNDS
    assert (found.batched >= SECONDS / workload.chunk).all()
    (whole,) = time_warm([Timed.of(workload, 1e3)], timing.ROUNDS)
    assert len(whole.batched) == timing.ROUNDS


def test_a_chunk_takes_no_longer_than_suits_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replicate takes a millisecond here, and a full chunk many seconds."""
    monkeypatch.setattr(timing, "_step", lambda workload, replicates: replicates)
    monkeypatch.setattr(timing, "_seconds", lambda step, calls: step * 0.001)
    monkeypatch.setattr(timing, "_calls_in_a_block", lambda step, seconds: 1)
    monkeypatch.setattr(timing, "peak_memory", lambda step, device: 0)
    workload = work(Pathwise())
    assert workload.chunk > 1000
    chunks = [0.001 * Timed.of(workload, measured).replicates for measured in (0.01, 4.0, 1e3)]
    expected = (timing.CHUNK_SECONDS, 4.0 / timing.SHARE, timing.LONGEST)
    assert all(0.5 * most < seconds <= most for seconds, most in zip(chunks, expected, strict=True)), chunks


def test_the_latency_alone_in_short_blocks() -> None:
    """No block is longer than it was asked to be, unless by one call."""
    workload = work(Sleepy(), num_samples=8)
    short, long = Timed.latency(workload, 0.5 * SECONDS), Timed.latency(workload, 1e9)
    assert short.calls[0] == 1 <= long.calls[0] <= timing.BLOCK_SECONDS / SECONDS
    (found,) = time_warm([short], 3)
    assert (found.latency >= SECONDS).all()
    assert np.isnan(found.batched).all() and np.isnan(found.seconds_per_gradient_batched).all()
    assert found.peak_memory_bytes is None


def cold() -> Callable[[], None]:
    """A step whose first call takes long, as one that is compiled or finds the caches full of others."""
    seconds = iter([0.1])
    return lambda: time.sleep(next(seconds, 0.0))


def test_a_block_begins_with_a_call_that_is_not_timed() -> None:
    assert min(timing._seconds(cold(), 5) for _ in range(3)) < 0.01  # the machine may be busy


def test_the_calls_that_fill_a_block_are_those_of_a_warm_step() -> None:
    assert max(timing._calls_in_a_block(cold()) for _ in range(3)) > 1


def test_the_median_with_its_quartiles() -> None:
    seconds = np.array([5.0, 1.0, 4.0, 2.0, 3.0])
    found = Timing(seconds, seconds / 10, 8, "a device")
    assert found.seconds_per_gradient == (3.0, 2.0, 4.0)
    assert found.seconds_per_gradient_batched == pytest.approx((0.3, 0.2, 0.4))
    assert found.rounds() == {"latency": [5.0, 1.0, 4.0, 2.0, 3.0], "batched": [0.5, 0.1, 0.4, 0.2, 0.3]}


def test_the_columns_of_a_timing() -> None:
    found = Timing(np.full(7, 0.5), np.full(7, 0.25), 8, "a device")
    columns = found.columns(Interval(4.0, 3.0, 5.0), None)
    assert columns["seconds_per_gradient"] == 0.5 and columns["seconds_per_gradient_batched_high"] == 0.25
    assert columns["work_normalized_variance"] == 2.0
    assert columns["work_normalized_variance_low"] < 2.0 < columns["work_normalized_variance_high"]
    assert np.isnan(columns["work_normalized_mse"])
    assert columns["peak_memory_bytes"] == 8 and columns["device_name"] == "a device"
    assert Interval.entries("x", Interval(1.0, 0.0, 2.0)) == {"x": 1.0, "x_low": 0.0, "x_high": 2.0}


def test_rounds_are_interleaved_in_a_random_order_that_the_seed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    def order(seed: int) -> list[str]:
        calls: list[str] = []
        monkeypatch.setattr(timing, "_step", lambda workload, replicates: f"{workload.seed}")
        monkeypatch.setattr(timing, "_calls_in_a_block", lambda step, seconds: 1)
        monkeypatch.setattr(timing, "_affordable", lambda workload, longest: workload.chunk)
        monkeypatch.setattr(timing, "peak_memory", lambda step, device: 0)
        monkeypatch.setattr(timing, "_seconds", lambda step, calls_in_block: calls.append(step) or 1.0)
        workloads = [replace(work(Pathwise()), seed=index) for index in range(4)]
        time_gradients(workloads, rounds=6, seed=seed)
        return calls[::2]  # each cell: latency, then batched

    first = order(0)
    rounds = [first[start : start + 4] for start in range(0, 24, 4)]
    assert all(sorted(each) == ["0", "1", "2", "3"] for each in rounds), "every round times each once"
    assert len({tuple(each) for each in rounds}) > 1, "the order changes between rounds"
    assert first == order(0) != order(1)


def test_each_workload_gets_its_own_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order, the seconds go to the workload that took them."""
    monkeypatch.setattr(timing, "_step", lambda workload, replicates: (workload.seed, replicates))
    monkeypatch.setattr(timing, "_calls_in_a_block", lambda step, seconds: 1)
    monkeypatch.setattr(timing, "_affordable", lambda workload, longest: workload.chunk)
    monkeypatch.setattr(timing, "peak_memory", lambda step, device: step[0])
    monkeypatch.setattr(timing, "_seconds", lambda step, calls: 1.0 + step[0])
    workloads = [replace(work(Pathwise()), seed=index) for index in range(3)]
    for index, found in enumerate(time_gradients(workloads, rounds=4)):
        assert (found.latency == 1 + index).all()
        assert (found.batched == (1 + index) / workloads[index].chunk).all()
        assert found.peak_memory_bytes == index


def test_progress_is_told_after_each_pair_of_blocks() -> None:
    told: list[int] = []
    time_gradients([work(Pathwise()), work(make_estimator("exact"))], rounds=2, progress=lambda: told.append(1))
    assert len(told) == 4


def test_timing_leaves_numbers_alone() -> None:
    workload = work(make_estimator("score-function"))
    before = workload.gradients(0)
    state = torch.get_rng_state()
    time_gradients([workload], rounds=1)
    assert torch.equal(workload.gradients(0), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_device_has_a_name() -> None:
    assert device_name(CPU).strip()


def test_a_latency_that_is_known_has_no_more_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A steady one ends after a few rounds, one that scatters has them all, and so has either where nobody asks."""
    steady, scattered = (Timed.latency(work(Pathwise()), 0.001) for _ in range(2))
    seconds = iter([2.0, 1.0, 3.0, 1.5, 2.5] * 2)
    monkeypatch.setattr(timing, "_seconds", lambda step, calls: 1.0 if step is steady.one else next(seconds))
    found = time_warm([steady, scattered], 5, known=0.01)
    assert [len(one.latency) for one in found] == [timing.FEW_ROUNDS, 5]
    assert [len(one.latency) for one in time_warm([steady], 5)] == [5]


def test_blocks_are_a_share_of_what_was_measured_within_bounds() -> None:
    assert timing.block_of(0.01) == timing.SHORTEST and timing.block_of(0.01, timing.LATENCY) == timing.LATENCY
    assert timing.block_of(1.4) == pytest.approx(0.01) and timing.block_of(1e3) == timing.BLOCK_SECONDS
