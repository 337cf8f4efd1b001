"""The memory that a gradient takes, against what is held by small functions of known size."""

import numpy as np
import pytest
import torch
from torch import Tensor

from estimators.registry import make_estimator, make_problem
from experiments.gradients.bulk import LARGE, Bulk
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.machine.memory import peak_memory
from experiments.timing.rounds import Timed, time_gradients

CPU = torch.device("cpu")


def work(num_samples: int) -> Workload:
    return prepare(make_problem("gaussian-quadratic:dim=4"), make_estimator("pathwise"), num_samples)


KILO = 1000 * 8
"""Bytes of a thousand float64 numbers."""


def one_after_another() -> None:
    for _ in range(5):
        torch.ones(1000, dtype=torch.float64)


def two_at_once() -> None:
    first = torch.ones(1000, dtype=torch.float64)
    second = first + 1
    del first, second
    torch.ones(1000, dtype=torch.float64)


def views() -> None:
    base = torch.ones(1000, dtype=torch.float64)
    kept = base[:10], base.reshape(10, 100), base.expand(50, 1000)
    del kept


def in_place() -> None:
    base = torch.ones(1000, dtype=torch.float64)
    base.add_(1).mul_(2)


@pytest.mark.parametrize(
    ("step", "numbers"), [(one_after_another, 1), (two_at_once, 2), (views, 1), (in_place, 1), (lambda: None, 0)]
)
def test_peak_memory_counts_what_is_held_at_once(step, numbers: int) -> None:
    for _ in range(2):
        assert peak_memory(step, CPU) == numbers * KILO


def test_memory_that_was_there_before_does_not_count() -> None:
    before = torch.ones(1000, dtype=torch.float64)
    assert peak_memory(lambda: before.mul_(2), CPU) == 0
    assert peak_memory(lambda: before * 2, CPU) == KILO


def test_memory_that_outlives_the_step_counts_at_its_peak() -> None:
    kept: list[Tensor] = []
    assert peak_memory(lambda: kept.append(torch.ones(1000, dtype=torch.float64)), CPU) == KILO
    kept.clear()
    assert peak_memory(two_at_once, CPU) == 2 * KILO


def test_memory_that_numpy_took_counts_while_a_tensor_holds_it() -> None:
    def step() -> None:
        words = torch.from_numpy(np.ones(1000))
        words.add_(1)
        del words
        torch.tensor([1.0] * 1000, dtype=torch.float64)

    assert peak_memory(step, CPU) == KILO


def test_the_words_of_bulk_noise_are_held_beside_its_numbers() -> None:
    """4 bytes of each for a uniform of float32."""
    assert peak_memory(lambda: Bulk(0, CPU).uniform((LARGE,)), CPU) == 2 * 4 * LARGE


def test_autograd_holds_what_backward_needs() -> None:
    """Three squares in a row: each keeps its input, so that all are alive when the gradient is computed."""

    def step() -> None:
        x = torch.ones(1000, dtype=torch.float64, requires_grad=True)
        x.square().square().square().sum().backward()

    assert 3 * KILO < peak_memory(step, CPU) <= 8 * KILO


def test_peak_memory_of_a_gradient_grows_with_its_samples() -> None:
    """At R = 1: at least the noise and the samples, S times D float32 numbers each."""
    small, large = (time_gradients([Timed.of(work(size))], rounds=1)[0].peak_memory_bytes for size in (64, 64 * 16))
    assert small is not None and large is not None
    assert small >= 2 * 64 * 4 * 4
    assert 8 * small < large < 32 * small
