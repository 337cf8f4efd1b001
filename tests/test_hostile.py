"""Estimators that hang, crash, eat memory, print or raise: each costs its own cell and nothing else."""

import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from experiments.engine import run
from experiments.engine.executor import Interrupts, Task
from experiments.engine.pool import LocalPool
from experiments.engine.work import Failure
from experiments.store import load
from experiments.sweep import Cell, sweep_from_flags
from experiments.terminal.progress import narrator

PLUGIN = '''
"""Estimators that no sweep should have."""
import ctypes, os, sys, time
from dataclasses import dataclass

import torch

from estimators import Estimator, register_estimator
from estimators import sample


class Strange(BaseException):
    def __str__(self):
        raise ValueError


@register_estimator("hostile")
@dataclass(frozen=True)
class Hostile(Estimator):
    deed: str = "nothing"
    when_timed: bool = False

    def surrogate(self, problem, params, noise):
        if (len(params["loc"]) == 1) == self.when_timed:
            getattr(self, self.deed)()
        factor = float("nan") if self.deed == "nan" else 1.0
        return factor * problem.cost(sample(problem.distribution(params), noise), params).mean(0)

    def evaluations(self, problem, num_samples):
        return 2**70 if self.deed == "huge" else num_samples

    def nothing(self): pass
    nan = nothing
    def loop(self):
        while True: pass
    def eat(self):
        eaten = []
        while True: eaten.append(torch.empty(2**28))
    def crash(self): ctypes.string_at(0)
    def leave(self): sys.exit(3)
    def vanish(self): os._exit(0)
    def strange(self): raise Strange
    def huge(self): pass
    def throw(self): raise RuntimeError("no luck\\nat all")
    def speak(self): print("x" * 1_000_000)
'''
DEEDS = ["nothing", "crash", "leave", "vanish", "strange", "huge", "nan", "throw", "speak"]
ENDLESS = ["loop", "eat"]
"""These last until they are stopped, by a limit of seconds or of memory."""
MEMORY = 6 * 2**30


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def run_of(deeds: list[str], folder: Path, seconds: int) -> tuple[Path, subprocess.CompletedProcess]:
    (folder / "mine.py").write_text(PLUGIN)
    estimators = [f"hostile:deed={deed}" for deed in deeds] + ["pathwise"]
    command = [sys.executable, "-m", "experiments.cli", "run", "-p", "gaussian-quadratic:dim=2", "-n", "4"]
    command += ["--max-replicates", "640", "--plugin", "mine.py", "--name", "hostile", "--jobs", "2"]
    command += ["--timeout", str(seconds), *(part for estimator in estimators for part in ("-e", estimator))]
    ended = subprocess.run(command, cwd=folder, preexec_fn=limit_memory, capture_output=True, text=True)
    return folder / "results" / "hostile", ended


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess]:
    return run_of(DEEDS, tmp_path_factory.mktemp("hostile"), 60)


@pytest.fixture(scope="module")
def cells(hostile: tuple[Path, subprocess.CompletedProcess]) -> pd.DataFrame:
    return load(hostile[0]).cells.set_index("estimator")


@pytest.mark.parametrize(
    ("deed", "status", "error"),
    [
        ("crash", "failed", "the worker process was killed by SIGSEGV, 2 times"),
        ("leave", "failed", r"SystemExit: 3 \(.*mine\.py:\d+\)"),
        ("vanish", "failed", "the worker process ended without an answer, 2 times"),
        ("strange", "failed", r"Strange \(.*mine\.py:\d+\)"),
        ("huge", "failed", "ValueError: evaluations is 1180591620717411303424, more than .*"),
        ("throw", "failed", r"RuntimeError: no luck \(.*mine\.py:\d+\)"),
    ],
)
def test_a_deed_is_recorded_with_its_kind_and_a_reason(cells, deed: str, status: str, error: str):
    cell = cells.loc[f"hostile:deed={deed}"]
    assert cell["status"] == status
    assert pd.Series([cell["error"]]).str.fullmatch(error).all(), cell["error"]
    assert (cell["traceback"] is not None) == (deed in ("leave", "strange", "huge", "throw"))
    assert cell["attempts"] == (2 if deed in ("crash", "vanish") else 1)


@pytest.mark.chaos
def test_what_would_never_end_is_stopped(tmp_path):
    folder, ended = run_of(ENDLESS, tmp_path, 6)
    loop, eat, other = load(folder).cells.to_dict("records")
    assert (loop["status"], loop["error"], loop["traceback"]) == ("timeout", "stopped at the limit of 6 s a cell", None)
    assert eat["status"] == "out-of-memory" and re.fullmatch("RuntimeError: .*can't allocate memory.*", eat["error"])
    assert eat["traceback"] and other["status"] == "done" and ended.returncode == 1


def test_a_task_is_stopped_at_its_limit():
    """By the pool itself; asleep, so that it costs nothing."""
    task = Task(time.sleep, (Cell("pathwise", "gaussian-quadratic:dim=2", 4),), (30,))
    with narrator() as progress, LocalPool(1, timeout=1) as pool, Interrupts(progress.say) as interrupts:
        answers = list(pool.results([task], interrupts))
    assert answers == [(task, Failure("timeout", "stopped at the limit of 1 s a cell"))]


def test_what_raises_leaves_its_traceback(cells):
    assert 'raise RuntimeError("no luck' in cells.loc["hostile:deed=throw", "traceback"]


def test_a_gradient_that_is_not_finite_is_counted(cells):
    cell = cells.loc["hostile:deed=nan"]
    assert cell["status"] == "done" and cell["nonfinite"] == cell["replicates"] == 640


def test_the_others_are_whole(cells):
    for estimator in ("pathwise", "hostile", "hostile:deed=speak"):
        assert cells.loc[estimator, ["status", "timing_status"]].tolist() == ["done", "done"], estimator


@pytest.mark.chaos  # the limit has to be long enough for a cold worker on a busy machine
def test_one_that_hangs_while_it_is_timed_keeps_its_statistics(hostile, tmp_path):
    plugin = str(hostile[0].parents[1] / "mine.py")
    flags = {"problems": ["gaussian-quadratic:dim=2"], "num_samples": "4", "max_replicates": 640, "plugins": [plugin]}
    sweep = sweep_from_flags(estimators=["hostile:deed=loop,when_timed=true", "pathwise"], **flags)
    with narrator() as progress:
        outcome = run(sweep, tmp_path, progress, executor=LocalPool(1, timeout=15, plugins=[plugin]))
    hanging, other = load(tmp_path).cells.to_dict("records")
    assert (hanging["status"], hanging["timing_status"], other["timing_status"]) == ("done", "timeout", "done")
    assert hanging["total_variance"] == other["total_variance"] and (outcome.done, outcome.failed) == (1, 1)


def test_the_command_says_how_many_failed_and_prints_nothing_of_theirs(hostile):
    ended = hostile[1]
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "xxx" not in ended.stdout + ended.stderr
    assert "10 cells: 4 done, 0 skipped, 6 failed" in ended.stderr


@pytest.mark.chaos
def test_a_dry_run_is_stopped_at_the_limit_too(hostile):
    command = [sys.executable, "-m", "experiments.cli", "run", "-p", "gaussian-quadratic:dim=2", "-n", "4", "--dry-run"]
    command += ["-e", "hostile:deed=loop", "-e", "pathwise", "--plugin", "mine.py", "--timeout", "6", "--name", "dry"]
    ended = subprocess.run(command, cwd=hostile[0].parents[1], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0 and ended.stdout.startswith("2 cells, of which 2 are missing, in results/dry; about ")
    assert not (hostile[0].parent / "dry").exists()
