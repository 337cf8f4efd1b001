"""Costs that take long: few calls, and budgets that are kept. Cheap ones: no clock decides."""

import time
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.distributions as td
from torch import Tensor

from estimators import Params, Problem, Program, make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring import pace
from experiments.measuring.loop import estimate, extend
from experiments.measuring.moments import Sampling
from experiments.measuring.stop import Stop
from experiments.statistics import GROUPS
from experiments.timing.rounds import Timed


@dataclass(frozen=True)
class Simulator(Problem):
    """A loop in NumPy over samples, each of which takes a while."""

    seconds: float = 0.002
    differentiable = False
    calls: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def initial_params(self) -> Params:
        return {"loc": torch.tensor([0.3, -0.2])}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Normal(params["loc"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        rows = x.detach().cpu().numpy().reshape(-1, 2)
        self.calls.append(len(rows))
        time.sleep(self.seconds * len(rows))
        return torch.from_numpy(np.array([float(np.square(row).sum()) for row in rows])).to(x).reshape(x.shape[:2])


@dataclass(frozen=True)
class OneByOne(Program):
    """A program of one variable, called for each sample, which takes a while."""

    mapped: ClassVar[bool] = False

    def initial_params(self) -> Params:
        return {"loc": torch.tensor(0.3)}

    def run(self, params: Any, sample: Any) -> Tensor:
        time.sleep(0.0002)
        return sample("x", td.Normal(params["loc"], 1.0)) ** 2


def simulated(seconds: float = 0.002) -> tuple[Workload, list[int]]:
    problem = Simulator(seconds)
    workload = prepare(problem, make_estimator("score-function"), 1)
    calls = workload.problem.calls  # type: ignore[attr-defined]
    calls.clear()
    return workload, calls


def test_a_slow_cost_is_called_as_often_as_the_precision_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is lost: the first look is part of the measurement. The variance is known to one half soon."""
    monkeypatch.setattr(pace, "SURE", 0.05)  # it takes 0.07 s
    workload, calls = simulated(0.001)
    sampling = Sampling(workload, None)
    found = extend(sampling, Stop(rtol=0.5))
    assert found.stop_reason == "precision" and found.replicates <= 2048
    assert found.replicates <= sum(calls) < found.replicates + GROUPS and max(calls) == GROUPS
    again = estimate(replace(workload, most=GROUPS), None, Stop(replicates=found.replicates))
    assert again.total_variance == pytest.approx(found.total_variance)


def test_a_budget_is_kept_to_within_a_part_of_it() -> None:
    workload, calls = simulated(0.001)
    began = time.monotonic()
    found = extend(Sampling(workload, None), Stop(rtol=0.001, max_seconds=1.5))
    assert found.stop_reason == "max_seconds" and found.replicates >= GROUPS
    assert sum(calls[: found.replicates // GROUPS]) * 0.001 < 1.5 < time.monotonic() - began + 1.5


def test_a_short_budget_is_kept_to_by_larger_chunks_too() -> None:
    """A look at 64 replicates is not all of a chunk: the blocks after it were four times the budget."""
    workload = prepare(OneByOne(), make_estimator("score-function"), 4)
    assert GROUPS < workload.chunk < 1024
    found = extend(Sampling(workload, None), Stop(rtol=0.001, max_seconds=0.5))
    assert found.stop_reason == "max_seconds" and GROUPS <= found.replicates <= 256


def test_what_is_wanted_is_what_is_computed() -> None:
    workload, calls = simulated(0.0)
    found = estimate(workload, None, Stop(replicates=640))
    assert found.replicates == 640 and calls[:2] == [GROUPS, 640], "a first look, and one chunk"


def test_what_is_heard_of_a_measurement_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LONG", 0.5)
    monkeypatch.setattr(pace, "BLOCK_SECONDS", 0.01)
    heard: list[tuple[str, float]] = []
    workload, _ = simulated()
    found = extend(Sampling(workload, None), Stop(replicates=512), lambda *what: heard.append(what))
    told = [(what, left) for what, left in heard if what != "summing up"]
    assert told[-1] == ("512 replicates", 0.0) and found.replicates == 512 and len(told) > 3
    assert all(0.1 < left < 60 for _, left in told[1:-1])


@pytest.mark.parametrize("spec", ["gaussian-quadratic:dim=2", "digits-vae:hidden=2,latent=1,points=2"])
def test_the_clock_decides_nothing_of_cheap_gradients(spec: str) -> None:
    """Not though the first look is a hundred times slower than usual: it is taken again."""
    workload = prepare(make_problem(spec), make_estimator("score-function"), 4)
    seen = []
    for slow in (False, True):
        seconds = pace._seconds

        def first_is_slow(call, once=iter([0.45] if slow else [])):  # noqa: B008
            return max(seconds(call), next(once, 0.0))  # noqa: B023

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pace, "_seconds", first_is_slow)
            sampling = Sampling(workload, None)
            goal = pace.begin(sampling, 10**6, Stop())
            seen.append((goal, sampling.workload.chunk, sampling.block, sampling.replicates))
    assert seen[0] == seen[1] and seen[0][0] == pace.FIRST_REPLICATES


def test_the_timing_of_a_slow_cost_takes_no_full_chunk() -> None:
    workload, calls = simulated()
    assert workload.chunk == 2**15  # a minute
    began = time.monotonic()
    timed = Timed.of(workload)
    assert 1 <= timed.replicates <= 512 and time.monotonic() - began < 10 and sum(calls) < 3000


def test_the_first_goal_follows_the_parameters() -> None:
    for dim, goal in ((10, 20_000), (20_000, 2**28 // 40_000)):
        sampling = Sampling(prepare(make_problem(f"gaussian-quadratic:dim={dim}"), make_estimator("pathwise"), 1), None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pace, "LONG", 1e9)
            assert pace.begin(sampling, 10**7, Stop()) == goal


@pytest.mark.parametrize(("dim", "rows"), [(10, 1), (20_000, 5)])
def test_blocks_of_large_gradients_have_a_sixteenth_of_the_budget(
    monkeypatch: pytest.MonkeyPatch, dim: int, rows: int
) -> None:
    """64 gradients are said to take 0.64 s: a block of small ones has one second, of large ones 3.75."""

    workload = prepare(make_problem(f"gaussian-quadratic:dim={dim}"), make_estimator("pathwise"), 1)
    sampling = Sampling(replace(workload, most=GROUPS), None)
    taken = iter([0.64, 0.01 * sampling.workload.smaller(GROUPS).chunk])
    monkeypatch.setattr(pace, "_seconds", lambda call: (call(), next(taken))[1])
    pace.begin(sampling, 10**7, Stop(max_seconds=60.0))
    assert sampling.block == rows * GROUPS
