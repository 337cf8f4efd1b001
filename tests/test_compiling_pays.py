"""When gradients are compiled: by choice, where that pays, and what it takes."""

import math
from types import SimpleNamespace

import pytest
import torch
from compilers import QUADRATIC, Given, estimated, work

from experiments.gradients import compiling
from experiments.measuring import loop as measuring
from experiments.measuring import moments
from experiments.measuring.loop import extend
from experiments.measuring.moments import Sampling
from experiments.sweep import Cell, Stop
from experiments.timing.rounds import Timed


def test_a_cell_of_few_samples_is_not_compiled_by_itself(given: Given) -> None:
    found = estimated(work("pathwise", compile="auto"), rtol=0.02)
    assert not given.asked and math.isnan(found.compile_seconds)


def test_many_samples_are_worth_compiling(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 replicates of 4 samples in 2 dimensions are 800,000 element-samples."""
    for limit, pays in ((700_000, True), (900_000, False)):
        monkeypatch.setattr(compiling, "BREAK_EVEN", limit)
        given.asked = False
        found = estimated(work("pathwise", compile="auto"), replicates=100_000)
        assert given.asked == pays and math.isnan(found.compile_seconds) != pays


def test_a_precision_that_takes_many_replicates_is_worth_it_once_that_is_known(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "BREAK_EVEN", 500_000)
    estimated(work("pathwise", compile="auto"), rtol=0.05, max_replicates=20_000)
    assert not given.asked, "20,000 replicates are 160,000 element-samples"
    found = estimated(work("pathwise", compile="auto"), rtol=0.003, max_replicates=200_000)
    assert given.asked
    assert found.total_variance == estimated(work("pathwise"), rtol=0.003, max_replicates=200_000).total_variance


def test_the_replicates_that_a_precision_takes_are_the_square_of_its_factor(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(measuring, "pays", lambda elements: bool(asked.append(elements)))
    found = estimated(work("pathwise", compile="auto"), rtol=0.004)
    assert asked[0] == 0 and found.stop_reason == "precision"
    expected = 8 * found.replicates  # of 4 samples in 2 dimensions, seen from where the first look ended
    assert 0.6 * expected < asked[1] < 1.4 * expected, "most are still to come"
    assert asked[-1] < min(asked[1:-1]), "what is left becomes less in the end"
    asked.clear()
    estimated(work("pathwise", compile="auto"), rtol=1e-4, max_replicates=150_000)
    assert 0 < asked[1] <= 8 * 150_000, "no more than the budget has"


def test_what_is_compiled_by_choice_is_timed_as_it_would_be_without(given: Given) -> None:
    workload = work("pathwise", compile="auto")
    Timed.latency(workload, 0.001)
    assert not given.asked
    Timed.latency(work("pathwise", compile=True), 0.001)
    assert given.asked


def test_the_time_to_compile_is_no_time_of_the_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 100_000, 100))
    clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    for module in (moments, measuring):  # theirs alone: other threads ask the time as well
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    found = estimated(work("pathwise", compile=True), replicates=2048)
    assert found.compile_seconds == 100.0 and found.statistics_seconds == 200.0
    sampling = Sampling(work("pathwise", compile=True), None)
    for replicates, expected in ((2048, 200.0), (4096, 100.0)):  # compiled once, and not in the second stretch
        assert extend(sampling, Stop(replicates=replicates)).statistics_seconds == expected


def test_cells_that_may_be_compiled_are_cells_of_their_own() -> None:
    keys = {Cell("pathwise", QUADRATIC, 4, compile=compile).key for compile in (False, True, "auto")}
    assert len(keys) == 3
