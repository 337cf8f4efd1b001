"""How long is sampled, and what is not finite on the way."""

import tracemalloc
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from measurements import estimated, work
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem
from estimators.pathwise import Pathwise
from experiments import Measurement
from experiments.machine.memory import peak_memory
from experiments.statistics import GROUPS


@dataclass(frozen=True)
class Spoiled(Estimator):
    """Pathwise, whose estimate is not finite in the replicates whose first noise is above a level."""

    level: float = 3.0
    with_infinity: bool = False

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        bad = noise[0].flatten(1)[:, 0] > self.level
        factor = torch.where(bad, torch.inf if self.with_infinity else torch.nan, 1.0)
        return Pathwise().surrogate(problem, params, noise) * factor


def memory_of(blocks: int) -> tuple[int, int]:
    """Most bytes held at once by tensors, and by numpy and Python."""
    workload = work("score-function", num_samples=128)
    assert workload.chunk == 2048

    def step() -> Measurement:
        return estimated(workload, replicates=blocks * 2048)

    tensors = peak_memory(step, workload.device)
    tracemalloc.start()
    try:
        step()
        return tensors, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_replicates() -> None:
    memory_of(1)  # what is kept from the first use
    (tensors, others), (more_tensors, more_others) = memory_of(2), memory_of(16)
    assert more_tensors == tensors
    means_of_a_block = GROUPS * work("score-function").size * 8
    assert more_others - others < 14 * means_of_a_block / 2


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ({"rtol": 0.05}, "precision"),
        ({"replicates": 1024}, "replicates"),
        ({"rtol": 1e-4, "max_replicates": 100_000}, "max_replicates"),
        ({"rtol": 1e-4, "max_elements": 4 * 30_000}, "max_elements"),
        ({"rtol": 1e-4, "max_elements": 1, "max_replicates": 70}, "max_elements"),
        ({"replicates": 1024, "max_elements": 4 * 640}, "replicates"),
        ({"rtol": 1e-4, "max_seconds": 0.2}, "max_seconds"),
        ({"rtol": 1, "detect": True}, "precision"),
    ],
)
def test_stop_reasons(stop: dict[str, Any], reason: str) -> None:
    found = estimated(work("score-function:control_variate=leave-one-out"), **stop)
    assert found.stop_reason == reason
    if reason == "precision":
        assert found.replicates >= 20_000
    if "rtol" in stop and reason == "precision":
        value, low, high = found.total_variance
        assert max(high / value - 1, 1 - low / value) <= stop["rtol"]
    if stop.get("detect"):
        assert found.detectable_bias is not None and found.detectable_bias <= 0.01
    if "max_elements" in stop:  # 2 samples of 2 dimensions are 4 elements, and there are 64 groups
        assert found.replicates == {120_000: 29_952, 1: 64, 2560: 1024}[stop["max_elements"]]
    elif "max_replicates" in stop:
        assert found.replicates == 100_032


def test_no_variance_is_precise_at_once() -> None:
    found = estimated(work("exact"))
    assert found.stop_reason == "precision" and found.verdict == "unbiased"
    assert (
        found.total_variance == (0, 0, 0) and found.snr is None and found.detectable_bias == pytest.approx(0, abs=1e-3)
    )


@pytest.mark.parametrize("with_infinity", [False, True])
def test_what_is_not_finite_is_counted_and_stops_the_sampling(with_infinity: bool) -> None:
    spoiled = work(Spoiled(with_infinity=with_infinity))
    found = estimated(spoiled)
    assert found.stop_reason == "nonfinite" and found.verdict == "undetermined"
    noise = torch.cat([spoiled.noise(index)[0, :, 0] for index in range(found.replicates // spoiled.chunk)])
    assert found.nonfinite == int((noise > 3).sum()) > 0
    assert np.isnan(found.total_variance.value)
    assert any(f"{found.nonfinite:,} of {found.replicates:,}" in text for text in found.warnings)


def test_what_is_not_finite_is_counted_among_replicates_that_were_asked_for() -> None:
    found = estimated(work(Spoiled()), replicates=20_032)
    assert found.stop_reason == "replicates"
    assert found.nonfinite == int((work(Spoiled()).noise(0)[0, :20_032, 0] > 3).sum()) > 0
