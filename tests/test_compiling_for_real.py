"""Gradients that torch.compile really makes, in processes of their own."""

import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from compilers import work

from estimators.registry import make_estimator
from experiments.gradients.float64 import double
from experiments.statistics import Interval
from experiments.timing.rounds import Timed, Timing

LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"


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


def test_everything_floating_point_is_doubled_inside_components_too() -> None:
    inner = make_estimator("stratified:base=pathwise")
    object.__setattr__(inner.base, "held", {"one": torch.ones(2), "two": torch.ones(2, dtype=torch.int64)})  # type: ignore[attr-defined]
    found = double(inner)
    assert found.base.held["one"].dtype == torch.float64 and found.base.held["two"].dtype == torch.int64
    assert inner.base.held["one"].dtype == torch.float32  # type: ignore[attr-defined]


def test_the_time_of_kernels_is_a_column_of_the_timing() -> None:
    timing = Timing(np.full(7, 3e-4), np.full(7, 1e-6), 100, "H100", kernel_seconds=1e-4)
    columns = timing.columns(Interval(1.0, 0.9, 1.1), None)
    assert columns["kernel_seconds_per_gradient"] == 1e-4
    assert math.isnan(Timed.latency(work("pathwise"), 0.001).kernel_seconds)
