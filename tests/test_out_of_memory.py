"""Out of memory on a device: chunks of half the size, and no replicate counted twice."""

from dataclasses import dataclass, replace
from typing import Any, final

import pytest
import torch
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from experiments.engine.work import Failure, measure_cell
from experiments.gradients.prepare import prepare
from experiments.gradients.steps import Eager
from experiments.gradients.workload import Workload
from experiments.measuring import long_run, pace
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate, extend
from experiments.measuring.measurement import Measurement
from experiments.measuring.moments import Sampling
from experiments.measuring.reference import Reference
from experiments.statistics import GROUPS
from experiments.sweep import Cell, Stop
from experiments.timing.rounds import Timed

QUADRATIC = "gaussian-quadratic:dim=2"


def work(estimator: str | Estimator, compile: bool = False) -> Workload:
    made = make_estimator(estimator) if isinstance(estimator, str) else estimator
    return prepare(make_problem(QUADRATIC), made, 4, compile=compile)


def estimated(workload: Workload, **stop: Any) -> Measurement:
    return estimate(workload, find_reference(workload), Stop(**stop))


@final
@dataclass(frozen=True)
class Greedy(Estimator):
    """Pathwise, with memory for so many replicates."""

    most: int = 1000

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        if noise.shape[1] > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Pathwise().surrogate(problem, params, noise)


@pytest.mark.usefixtures("full_blocks")
@pytest.mark.parametrize("compile", [False, True])
def test_a_chunk_that_does_not_fit_into_the_memory_is_halved(compile: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    whole = work("pathwise")
    assert whole.chunk == 2**15
    found = estimated(work(Greedy(), compile=compile), replicates=2**16)
    assert found.replicates == 2**16 and found.verdict != "biased"
    assert [text for text in found.warnings if "fit into the memory" in text][-1].startswith("1,024 replicates")
    assert not [text for text in found.warnings if "could not be compiled" in text]
    low, high = found.total_variance[1:]
    assert low < estimated(whole, replicates=2**16).total_variance.value < high
    timed = Timed.of(work(Greedy()))
    assert timed.workload.chunk == 512


def test_what_was_compiled_is_compiled_anew_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the memory runs out in a gradient that was compiled by choice, at several looks."""
    calls: list[int] = []
    compiled: list[int] = []

    def counting(function: Any, **options: Any) -> Any:
        def gradient(*arguments: Any) -> Any:
            calls.append(len(arguments[0]["loc"]))
            if len(calls) == 3:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return function(*arguments)

        return gradient

    def compile(self: Sampling) -> None:
        compiled.append(self.workload.chunk)
        whole_compile(self)

    whole_compile = Sampling.compile
    monkeypatch.setattr(Sampling, "compile", compile)
    monkeypatch.setattr(torch, "compile", counting)
    monkeypatch.setattr("experiments.gradients.compiling.BREAK_EVEN", 1000)
    sampling = Sampling(replace(work("pathwise"), compile="auto"), None)
    extend(sampling, Stop(rtol=1e-6, max_replicates=2**17))
    assert compiled == [2**15, 2**14] and sampling.replicates == 2**17


def test_no_replicate_is_counted_twice_where_the_memory_runs_out_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does when others use the device: what was sampled before is thrown away, with its noise."""
    monkeypatch.setattr(pace, "LONG", float("inf"))

    @final
    @dataclass(frozen=True, eq=False)
    class Late(Estimator):
        def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
            calls.append(noise.shape[1])
            if len(calls) == 4 + before:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return Pathwise().surrogate(problem, params, noise)

    calls: list[int] = []
    before = 10**6
    workload = work(Late())
    before = len(calls)
    found = estimated(workload, replicates=2**17)
    halved = workload.halved
    assert found.replicates == 2**17 and set(calls[before + 4 :]) == {GROUPS, halved.chunk}, "a first look"
    assert found.total_variance == estimated(halved, replicates=2**17).total_variance


def test_one_replicate_that_does_not_fit_is_an_error() -> None:
    workload = work("pathwise")
    while workload.chunk > 1:
        workload = workload.halved
    with pytest.raises(torch.OutOfMemoryError, match="for one replicate"):
        _ = workload.halved


def test_a_measured_reference_is_halved_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_run, "ELEMENTS", 2**20)
    workload, sizes = work("pathwise"), set[int]()
    whole = Eager.gradient

    def greedy(self: Eager, params: Params, noise: Noise) -> Params:
        replicates = len(params["loc"])
        if replicates > 500:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.add(replicates)
        return whole(self, params, noise)

    monkeypatch.setattr(Eager, "gradient", greedy)
    with pytest.warns(UserWarning, match="fit into the memory"):
        found = long_run.measured_gradient(workload)
    exact = find_reference(workload)
    assert isinstance(found, Reference) and isinstance(exact, Reference) and max(sizes) == 256
    error = found.groups.std(0, ddof=1) / GROUPS**0.5
    assert (abs(found.gradient - exact.gradient) < 5 * error).all()


def test_what_the_system_refuses_is_out_of_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A petabyte, which torch reports as any other error."""
    monkeypatch.setattr(Pathwise, "surrogate", lambda *arguments: torch.empty(2**50))
    found = measure_cell(Cell("pathwise", "gaussian-quadratic:dim=2", 4))
    assert isinstance(found, Failure) and found.status == "out-of-memory" and "can't allocate memory" in found.error
