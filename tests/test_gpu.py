"""The script for a GPU runs on the CPU too, needs few packages, and sees what is wrong."""

import math
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmarks.gpu import checks, run, speed
from benchmarks.gpu.run import Run
from benchmarks.gpu.speed import COMPILED, DEVICE_CASES, EAGER, LOOP
from benchmarks.peers.compare import known_gradient
from benchmarks.peers.networks import problem_of
from benchmarks.peers.work import CASES, Case
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare

ROOT = Path(__file__).parents[1]
PATHWISE = DEVICE_CASES[0]
FEW_PACKAGES = """
import sys
from importlib.machinery import PathFinder

class Few(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        lacking = {"asv", "beartype", "distributed", "jinja2", "pebble", "pyarrow", "pytest", "sklearn", "triton"}
        return None if name.partition(".")[0] in lacking else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Few

import torch
from benchmarks.gpu import __main__ as script
from benchmarks.gpu.checks import CHECKS
from benchmarks.peers.networks import problem_of

torch.set_num_threads(1)
assert all(problem_of(case).initial_params() for case in script.DEVICE_CASES)
made = script.Run("cpu", True, float("inf"))
made.rows += made._measured(script.DEVICE_CASES[0], False)
print(CHECKS["moments"]("cpu", True))
assert not made.wrong
"""


def started(deadline: float = math.inf, folder: Path | None = None) -> Run:
    return Run("cpu", True, deadline, folder)


@pytest.mark.parametrize("name", ["same numbers", "moments", "training", "memory"])
def test_what_has_to_hold_holds_on_the_cpu(name: str):
    assert checks.CHECKS[name]("cpu", True)


def test_the_script_needs_few_packages():
    done = subprocess.run([sys.executable, "-c", FEW_PACKAGES], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "times the plain loop" in done.stdout


@pytest.mark.slow
def test_all_of_the_script_runs_on_the_cpu(tmp_path: Path):
    """With compiled gradients, which checked annotations would not allow in this process."""
    done = script("--device", "cpu", "--quick", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("left out: needs CUDA") == len(checks.NEEDS_CUDA)
    found = pd.read_csv(tmp_path / "table.csv")
    assert set(found["case"]) == {case.name for case in DEVICE_CASES}
    assert bool((found["ratio"] > 0).all()) and COMPILED in set(found["implementation"])


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_table_names_the_device_and_says_what_was_left_out(tmp_path: Path):
    made = started(folder=tmp_path)
    made.checks["memory"] = "right: 3 bytes"
    made.rows += made._measured(PATHWISE, compile=False)
    made.deadline = time.monotonic() - 1
    made.measure([PATHWISE])
    found = pd.read_csv(tmp_path / "table.csv")
    assert list(found["implementation"]) == [EAGER, LOOP, "generator alone", EAGER, COMPILED]
    assert list(found["ratio"].notna()) == [True] * 3 + [False] * 2 and not made.wrong
    assert list(found["peak_bytes"].notna()) == [True] + [False] * 4
    text = (tmp_path / "table.md").read_text("utf-8")
    assert text.startswith("On: cpu ") and "right: 3 bytes" in text and text.count(run.NO_TIME) == 2


def test_wrong_gradients_and_checks_that_fail_are_told(monkeypatch: pytest.MonkeyPatch):
    exact = known_gradient(PATHWISE)
    monkeypatch.setattr(speed, "known", lambda case, device, others: 1.05 * exact)
    made = started()
    (row, *_) = made._measured(PATHWISE, compile=False)
    assert made.wrong and "standard errors from the gradient" in row["wrong"]

    surrogate = Pathwise.surrogate
    monkeypatch.setattr(Pathwise, "surrogate", lambda *arguments: 1.02 * surrogate(*arguments))
    told = started()._checked("moments", checks.moments)
    assert told == f"WRONG: AssertionError: pathwise on {checks.QUADRATIC} is biased"


def test_gradients_of_another_dtype_are_refused(monkeypatch: pytest.MonkeyPatch):
    gradient = Pathwise.gradient
    work = prepare(make_problem(checks.QUADRATIC), make_estimator("pathwise"), 4)
    checks.check_shapes(work, "cpu")
    wider = lambda *given: {name: one.double() for name, one in gradient(*given).items()}  # noqa: E731
    monkeypatch.setattr(Pathwise, "gradient", wider)
    with pytest.raises(AssertionError):
        checks.check_shapes(work, "cpu")


@pytest.mark.parametrize("case", DEVICE_CASES, ids=lambda case: case.name)
def test_every_case_has_a_plain_loop_to_stand_beside(case: Case):
    gradient = speed.plain(case, "cpu")()
    size = sum(value.numel() for value in problem_of(case).initial_params().values())
    assert gradient.shape == (size,) and gradient.isfinite().all()


def test_cases_are_those_of_the_peers_with_the_sizes_of_their_problems():
    for case, here in zip(CASES, DEVICE_CASES, strict=True):
        assert (case.name, case.estimator, case.num_samples) == (here.name, here.estimator, here.num_samples)
        sizes = [sum(one.numel() for one in problem_of(made).initial_params().values()) for made in (case, here)]
        assert sizes[0] == sizes[1], case.name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_all_that_has_to_hold_does():
    done = script("--only", "checks")
    assert done.returncode == 0, done.stdout + done.stderr
