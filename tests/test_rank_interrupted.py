"""Ctrl-C in `gradmark rank`: a real process, a real signal, and what was known by then."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from documentation import ROOT

MODEL = """
import time
from dataclasses import dataclass

import torch
from torch.distributions import Independent, Normal

from estimators import Estimator, Problem, register_estimator, register_problem, sample


@register_problem("slow")
@dataclass(frozen=True)
class Slow(Problem):
    \"\"\"A cost that takes a while.\"\"\"

    def initial_params(self):
        return {"loc": torch.ones(2)}

    def distribution(self, params):
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x, params):
        time.sleep(0.003)
        return (x**2).sum(-1)

    def expected_cost(self, params):
        return (params["loc"] ** 2 + 1).sum(-1)


@register_estimator("again")
@dataclass(frozen=True)
class Again(Estimator):
    \"\"\"As good as pathwise: by evaluations nothing is decided; by seconds a busy machine may.\"\"\"

    def surrogate(self, problem, params, noise):
        return problem.cost(sample(problem.distribution(params), noise), params).mean(0)
"""
RUN = """
import sys

from estimators.registry import components
from estimators.registry.registration import tables
from experiments.cli import main
from experiments.ranking import phases

phases.PRECISE = -1.0
pathwise = components("estimator")["pathwise"]
tables["estimator"], pathwise.variants = {"pathwise": pathwise}, lambda: ["pathwise"]
sys.argv = ["gradmark", "rank", "model.py", "-n", "2", "--by", "evaluations", "--seconds", "600", *sys.argv[1:]]
main()
"""


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    started = []

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-c", RUN, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=tmp_path, **pipes))
        return started[-1]

    yield start
    for one in started:
        with one:
            one.kill()


def test_what_is_known_is_printed_and_marked(process) -> None:
    running = process()
    heard = []
    while "leads" not in (line := running.stderr.readline()):
        heard.append(line)
        assert line, f"it ended before anybody led: {heard}"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130 and "Traceback" not in err, err
    assert out.startswith("Interrupted: this is what was known by then.\nslow, num_samples = 2;")
    assert "\nSo far: Use " in out and "estimator = make_estimator(" in out
    shown = {name for name in ("pathwise", "again") if any(f"  {name} " in line for line in out.splitlines())}
    assert shown == {"pathwise", "again"}


def test_before_anything_is_known_that_is_said(process, tmp_path: Path) -> None:
    """The cost says that it is called, and is interrupted in its first call."""
    model = MODEL.replace("time.sleep(0.003)", "print('called', flush=True); time.sleep(60)")
    (tmp_path / "model.py").write_text(model)
    running = process("--json")
    assert running.stdout.readline() == "called\n"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130 and not out
    assert err.splitlines()[-1] == "gradmark: interrupted before anything was measured"
