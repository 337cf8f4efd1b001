"""Compiled gradients: the same numbers, when they are made, what their compilation takes, and where it fails."""

import math
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from estimators.interface import Estimator, Params
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from experiments.gradients import compiling
from experiments.gradients.compiling import Compile, Compiled
from experiments.gradients.float64 import double
from experiments.gradients.prepare import prepare
from experiments.gradients.replay import Draw
from experiments.gradients.workload import Workload
from experiments.measuring import loop as measuring
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate, extend
from experiments.measuring.measurement import Measurement
from experiments.measuring.moments import Sampling
from experiments.statistics import Interval
from experiments.sweep import Cell, Stop
from experiments.timing.rounds import Timed, Timing

LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"
QUADRATIC = "gaussian-quadratic:dim=2"


def work(estimator: str | Estimator, problem: str = QUADRATIC, compile: Compile = False, seed: int = 0) -> Workload:
    made = make_estimator(estimator) if isinstance(estimator, str) else estimator
    return prepare(make_problem(problem), made, 4, compile=compile, seed=seed)


def estimated(workload: Workload, **stop: Any) -> Measurement:
    return estimate(workload, find_reference(workload), Stop(**stop))


class Given:
    """Stands for torch.compile: hands back what it was given, and remembers that it was asked."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, function: Any, **options: Any) -> Any:
        self.asked = True
        return function


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    made = Given()
    monkeypatch.setattr(torch, "compile", made)
    return made


REAL = """
import warnings
from dataclasses import replace

import torch
from torch._dynamo.utils import counters
from torch.distributions import Distribution

from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from experiments.measuring.loop import estimate
from experiments.gradients import compiling
from experiments.sweep import Stop
from experiments.timing.rounds import Timed, time_gradients
from experiments.gradients.prepare import prepare

torch.set_num_threads(1)
validation = Distribution._validate_args
made = make_problem("gaussian-quadratic:dim=3"), make_estimator("score-function:control_variate=leave-one-out"), 4
eager, compiled = (prepare(*made, compile=compile) for compile in (False, True))
torch.testing.assert_close(compiled.gradients(0), eager.gradients(0))
torch.testing.assert_close(compiled.one_gradient(), eager.one_gradient())
assert counters["stats"]["unique_graphs"] == 2 and not counters["graph_break"], counters
assert Distribution._validate_args == validation, "the compiler of torch turns argument checks off"

class InParts(Pathwise):
    def surrogate(self, problem, params, noise):
        torch._dynamo.graph_break()
        return super().surrogate(problem, params, noise)

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    prepare(made[0], InParts(), 4, compile=True).gradients(0)
assert "runs eagerly" in "".join(str(one.message) for one in caught), "what compiles in parts only"
"""
EVERYWHERE = """
counters.clear()
found = estimate(prepare(*made, seed=1, compile=True), None, Stop(replicates=2048))
assert not [text for text in found.warnings if "compiled" in text or "deprecated" in text], found.warnings
assert 0 < found.compile_seconds
inductor = counters["inductor"]
assert inductor["fxgraph_cache_hit"] and not inductor["fxgraph_cache_miss"], "other cells of its shape share it"

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    counters.clear()
    first = Timed.of(prepare(*made, compile=True))
    second = Timed.of(prepare(make_problem("gaussian-quadratic:dim=4"), *made[1:], compile=True))
    timings = time_gradients([first, second], 2)
assert counters["stats"]["unique_graphs"] == 4, "two shapes each, compiled once while they are timed in turn"
assert not [one for one in caught if "compiled" in str(one.message)], "the peak of memory is that of the eager gradient"
assert all(timing.peak_memory_bytes for timing in timings)

compiling.BREAK_EVEN = 1_000
found = estimate(replace(prepare(*made), compile="auto"), None, Stop(replicates=1_000_000))
assert found.compile_seconds > 0
assert Distribution._validate_args == validation, "not by a choice to compile either"

for problem, estimator, ways in (
    ("gamma-cost:dim=3", "pathwise", 1),  # drawn by rejection, and so outside
    ("gaussian-cosine:dim=2", "stratified:scheme=sobol", 1),  # takes arithmetic
    ("bernoulli-toy", "rebar", 2),
):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = prepare(make_problem(problem), make_estimator(estimator), 4, compile=True)
        for index in range(2):
            torch.testing.assert_close(compiled.gradients(index), compiled.eager.gradients(index), rtol=1e-3, atol=1e-4)
    assert len(compiled.step._ways) == ways, estimator
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_gradients_are_the_eager_ones() -> None:
    """In a process of its own: annotations that are checked, as in these tests, cannot be compiled."""
    done = subprocess.run([sys.executable, "-c", REAL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_gradients_are_shared_timed_chosen_and_of_any_estimator() -> None:
    done = subprocess.run([sys.executable, "-c", REAL + EVERYWHERE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_compiled_runs_eagerly_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: Any, **options: Any) -> Any:
        def fails(*arguments: Any) -> Any:
            raise RuntimeError("no compiler here\nand a second line")

        return fails

    monkeypatch.setattr(torch, "compile", broken)
    found = estimated(work("pathwise", compile=True), replicates=2048)
    expected = estimated(work("pathwise"), replicates=2048)
    assert found.total_variance == expected.total_variance
    (warning,) = [text for text in found.warnings if "could not be compiled" in text]
    assert "no compiler here" in warning and "second line" not in warning


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda value: value * 1.001, "off by 0.001 of its size"),
        (lambda value: value * torch.where(torch.arange(len(value)) == 7, torch.nan, 1.0)[:, None], "not finite"),
        (lambda value: value + 0.01 * value.abs().mean(), "off by 0.01 of its size"),
        (lambda value: value * torch.where(torch.arange(value.shape[1]) == 1, 1.02, 1.0), "off by 0.02 of its size"),
    ],
)
def test_a_compiled_gradient_that_is_another_is_not_used(
    monkeypatch: pytest.MonkeyPatch, change: Any, reason: str
) -> None:
    def wrong(function: Any, **options: Any) -> Any:
        return lambda *arguments: {name: change(value) for name, value in function(*arguments).items()}

    monkeypatch.setattr(torch, "compile", wrong)
    found = estimated(work("pathwise", compile=True), replicates=2048)
    assert found.total_variance == estimated(work("pathwise"), replicates=2048).total_variance
    (warning,) = [text for text in found.warnings if "could not be compiled" in text]
    assert reason in warning


@pytest.mark.usefixtures("short_fits", "small_chunks")
@pytest.mark.parametrize(
    ("estimator", "problem", "ways"),
    [
        ("pathwise", QUADRATIC, 2),
        ("rebar", "bernoulli-toy", 2),
        ("stratified:scheme=sobol", QUADRATIC, 1),
        ("pathwise", "gamma-cost:dim=2", 1),
        ("pathwise", "von-mises-cost", 1),
    ],
)
def test_the_estimates_are_those_of_the_eager_gradient(estimator: str, problem: str, ways: int, given: Given) -> None:
    """To the bit, where nothing is compiled: the noise is the same, wherever it is made."""
    workload = work(estimator, problem, compile=True)
    for _ in range(2):
        for index in (0, 1):
            assert torch.equal(workload.gradients(index), workload.eager.gradients(index))
    assert isinstance(workload.step, Compiled) and len(workload.step._ways) == ways


def test_what_fails_later_is_given_up_for_every_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def failing(function: Any, **options: Any) -> Any:
        def gradient(params: Params, entered: Any) -> Params:
            calls.append(len(params["loc"]))
            if len(params["loc"]) == 1:
                raise RuntimeError("no such shape")
            return function(params, entered)

        return gradient

    monkeypatch.setattr(torch, "compile", failing)
    workload = work("pathwise", compile=True)
    workload.gradients(0)
    with pytest.warns(UserWarning, match="no such shape"):
        one = workload.one_gradient()
    for name, value in workload.eager.one_gradient().items():
        assert torch.equal(one[name], value), "of the noise that had been drawn"
    assert calls == [workload.chunk, 1, 1], "inside, and outside"
    assert torch.equal(workload.gradients(1), workload.eager.gradients(1))
    assert len(calls) == 3, "not tried again"


def test_the_second_way_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """At shapes that the first had passed."""

    def failing(function: Any, **options: Any) -> Any:
        def gradient(params: Params, entered: Any) -> Params:
            if isinstance(entered, list):
                if len(params["loc"]) == 1:
                    raise RuntimeError("no such shape")
                return function(params, entered)
            return {name: 1.1 * value for name, value in function(params, entered).items()}

        return gradient

    monkeypatch.setattr(torch, "compile", failing)
    workload = work("pathwise", compile=True)
    workload.gradients(0)
    workload.one_gradient()
    with pytest.warns(UserWarning, match=r"off by 0\.1"):
        found = workload.gradients(1)
    assert torch.equal(found, workload.eager.gradients(1))


@pytest.mark.usefixtures("short_fits")
def test_a_draw_that_fails_is_an_error(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a reason to draw anew from a source that has moved."""
    workload = work("rebar", "bernoulli-toy", compile=True)
    workload.gradients(0)

    def fails(self: Draw, source: IID) -> Tensor:
        raise MemoryError("numpy")

    monkeypatch.setattr(Draw, "raw", fails)
    with pytest.raises(MemoryError):
        workload.gradients(1)


@pytest.mark.parametrize("compile", ["sometimes", "always", 1, None])
def test_compile_is_one_of_three(compile: Any) -> None:
    with pytest.raises(ValueError, match=r"compile must be True, False or 'auto', not"):
        work("pathwise", compile=compile)


def test_every_shape_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[int] = []
    monkeypatch.setattr(compiling, "check_agreement", lambda found, *others: checked.append(len(found["loc"])))
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    workload = work("pathwise", compile=True)
    for _ in range(3):
        workload.gradients(0)
        workload.one_gradient()
    assert checked == [workload.chunk, 1]


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
    assert asked[-1] < asked[1] / 2, "what is left becomes less"
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
    clock = iter(range(0, 100_000, 100))
    monkeypatch.setattr("experiments.measuring.moments.time.monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    found = estimated(work("pathwise", compile=True), replicates=2048)
    assert found.compile_seconds == 100.0 and found.statistics_seconds == 200.0
    sampling = Sampling(work("pathwise", compile=True), None)
    for replicates, expected in ((2048, 200.0), (4096, 100.0)):  # compiled once, and not in the second stretch
        assert extend(sampling, Stop(replicates=replicates)).statistics_seconds == expected


def test_cells_that_may_be_compiled_are_cells_of_their_own() -> None:
    keys = {Cell("pathwise", QUADRATIC, 4, compile=compile).key for compile in (False, True, "auto")}
    assert len(keys) == 3


# Float64


def test_everything_floating_point_is_doubled_inside_components_too() -> None:
    inner = make_estimator("stratified:base=pathwise")
    object.__setattr__(inner.base, "held", {"one": torch.ones(2), "two": torch.ones(2, dtype=torch.int64)})  # type: ignore[attr-defined]
    found = double(inner)
    assert found.base.held["one"].dtype == torch.float64 and found.base.held["two"].dtype == torch.int64
    assert inner.base.held["one"].dtype == torch.float32  # type: ignore[attr-defined]


# A GPU


def test_the_time_of_kernels_is_a_column_of_the_timing() -> None:
    timing = Timing(np.full(7, 3e-4), np.full(7, 1e-6), 100, "H100", kernel_seconds=1e-4)
    columns = timing.columns(Interval(1.0, 0.9, 1.1), None)
    assert columns["kernel_seconds_per_gradient"] == 1e-4
    assert math.isnan(Timed.latency(work("pathwise"), 0.001).kernel_seconds)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_the_compiled_gradients_are_the_eager_ones() -> None:
    made = [make_problem(QUADRATIC), make_estimator(LEAVE_ONE_OUT), 4]
    eager, compiled = (prepare(*made, device="cuda", compile=compile) for compile in (False, True))
    for index in range(3):  # the third replays the CUDA graph
        torch.testing.assert_close(compiled.gradients(index), eager.gradients(index))
