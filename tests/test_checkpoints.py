"""Training that is stopped, killed or damaged, and goes on as if it had not been."""

import io
import math
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import torch
from test_training import AVERAGED, QUADRATIC, curve, trained

from estimators.learning.state import learned_state, with_learned_state
from estimators.registry import components, make_estimator, make_problem
from experiments import load
from experiments.gradients.prepare import prepare
from experiments.training import loop as training
from experiments.training import optimisation
from experiments.training.optimisation import Optimisation


@pytest.mark.parametrize("estimator", [AVERAGED, "score-function:control_variate=optimal-baseline"])
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(tmp_path, monkeypatch, estimator):
    settings = {"estimator": estimator, "steps": 60, "record": 10, "seeds": 2}
    whole, file = trained(**settings), tmp_path / "state.pt"
    write, written = optimisation.Optimisation.state, []

    def stopped(self):
        written.append(self.step)
        if self.step == 40:
            raise KeyboardInterrupt
        return write(self)

    monkeypatch.setattr(optimisation.Optimisation, "state", stopped)
    with pytest.raises(KeyboardInterrupt):
        trained(**settings, checkpoint=file)
    assert file.exists()
    again = trained(**settings, checkpoint=file) if not monkeypatch.undo() else None
    assert again is not None and again.curves == whole.curves and written == [10, 20, 30, 40]
    assert not file.exists(), "nothing is left of a run that has ended"


def left_by(file, monkeypatch, **settings) -> None:
    """The checkpoint of a run that was stopped after its first record."""
    write = training.write_checkpoint

    def stopped(*arguments):
        write(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "write_checkpoint", stopped)
        trained(**settings, checkpoint=file)


@pytest.mark.parametrize("content", [b"no state", {"a": 1}, [1], torch.ones(3), {"curves": [], "state": {}}, "half"])
def test_a_damaged_state_is_no_obstacle(tmp_path, monkeypatch, content):
    settings: dict[str, Any] = {"steps": 20, "record": 10, "seeds": 2}
    file = tmp_path / "state.pt"
    if content == "half":
        left_by(file, monkeypatch, **settings)
        content = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    assert trained(**settings, checkpoint=file).curves == trained(**settings).curves
    assert not file.exists()


def test_a_run_that_goes_on_remembers_who_diverged_and_from_where(tmp_path, monkeypatch):
    """A seed once lost stays so; what is far is measured from the first value, here 4: above 54."""
    evaluate, file = Optimisation._evaluate, tmp_path / "state.pt"
    settings: dict[str, Any] = {"steps": 40, "record": 10}

    def moved(self):
        found = evaluate(self)
        found["objective"][1] = math.nan if self.step == 10 else 4.0
        found["objective"][2] = {0: 4.0, 40: 60.0}.get(self.step, 24.0)
        return found

    monkeypatch.setattr(Optimisation, "_evaluate", moved)
    whole = trained(**settings)
    assert set(curve(whole, "diverged")) == {(10, 1), (40, 2)} and whole.diverged == 2
    assert {step for step, seed in curve(whole) if seed == 1} == {0}
    left_by(file, monkeypatch, **settings)
    assert trained(**settings, checkpoint=file).curves == whole.curves


def test_a_state_that_cannot_be_removed_is_no_error(tmp_path):
    assert trained(steps=2, checkpoint=tmp_path).steps == 2


@pytest.mark.parametrize(
    "other", [{"learning_rate": 0.5}, {"optimizer": "sgd"}, {"steps": 30}, {"seeds": 3}, {"num_samples": 2}]
)
def test_the_state_of_another_run_is_refused_and_left_alone(tmp_path, monkeypatch, other):
    settings: dict[str, Any] = {"steps": 20, "record": 10, "seeds": 2}
    file = tmp_path / "state.pt"
    left_by(file, monkeypatch, **settings)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=r"state\.pt is of another run, pathwise .* name another file"):
        trained(**(settings | other), checkpoint=file)
    assert file.read_bytes() == before


FITTED = [
    spec
    for estimator in components("estimator").values()
    for spec in estimator.variants()
    if "control_variate=" in spec or spec.startswith(("relax", "rebar"))
]


@pytest.mark.parametrize("spec", FITTED)
def test_what_was_learned_can_be_saved_and_put_back(spec):
    """Gradients after the round trip are the same bits."""
    for name in (QUADRATIC, "bernoulli-toy:dim=2", "linear-gaussian:dim=1,points=1"):
        problem, estimator = make_problem(name), make_estimator(spec)
        if estimator.unsupported(problem, 4) is None:
            break
    else:
        pytest.skip("supported elsewhere")
    workload = prepare(problem, estimator, 4)
    file = io.BytesIO()
    torch.save(learned_state(workload.estimator), file)
    file.seek(0)
    again = with_learned_state(estimator, torch.load(file, weights_only=True))
    params, noise = workload.params(3), workload.draw(workload.source("test"), 3)
    for name, value in workload.estimator.gradient(workload.problem, params, noise).items():
        assert torch.equal(again.gradient(workload.problem, params, noise)[name], value)
    fits = type(estimator).fit is not type(make_estimator("pathwise")).fit
    assert bool(learned_state(workload.estimator)) == workload.fitted or fits


def test_a_killed_run_ends_with_the_curves_it_would_have_had(gradmark, tmp_path, monkeypatch):
    """Killed after a record in the middle of its only cell, and repeated."""
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path / "cache"))
    settings = 'num_samples = 2\nproblem = "gaussian-quadratic:dim=2"\ntrain = {steps = 400, record = 20, seeds = 2}\n'
    text = f'experiment = "train"\nestimator = "{AVERAGED}"\ntiming = {{enabled = false}}\n{settings}'
    (tmp_path / "killed.toml").write_text(text)
    command = [sys.executable, "-m", "experiments.cli", "run", str(tmp_path / "killed.toml")]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        limit = time.monotonic() + 120
        while not (saved := list((tmp_path / "cache" / "training").glob("*.pt"))) and time.monotonic() < limit:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert saved and process.wait() == -signal.SIGKILL
    reached = torch.load(saved[0], weights_only=True)["state"]["step"]
    assert 0 < reached < 400
    code, _, err = gradmark("run", str(tmp_path / "killed.toml"))
    assert code == 0 and "1 done" in err and not list((tmp_path / "cache" / "training").iterdir())
    found = load("results/killed").traces.drop(columns="key").to_dict("records")
    assert found == trained(AVERAGED, num_samples=2, steps=400, record=20, seeds=2).curves
