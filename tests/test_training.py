"""Training: steps as one would write them by hand, runs that go on after a kill, divergence, what the store gets."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from estimators.interface import LatentVariableProblem, Unsupported
from estimators.learning.state import learned_state, with_learned_state
from estimators.registry import components, make_estimator, make_problem
from experiments import Train, load, train
from experiments.engine.work import Measured, Skipped, measure_cell
from experiments.gradients.prepare import prepare, prepare_unlearned
from experiments.sweep import Cell
from experiments.training import loop as training
from experiments.training import optimisation
from experiments.training.optimisation import Optimisation

QUADRATIC = "gaussian-quadratic:dim=2"
AVERAGED = "score-function:control_variate=moving-average"


def trained(estimator: str = "pathwise", problem: str = QUADRATIC, num_samples: int = 4, checkpoint=None, **settings):
    return train(
        make_problem(problem), make_estimator(estimator), num_samples, Train(**settings), checkpoint=checkpoint
    )


def curve(found, quantity: str = "objective") -> dict[tuple[int, int], float]:
    return {(row["step"], row["replicate"]): row["value"] for row in found.curves if row["quantity"] == quantity}


@pytest.mark.parametrize("estimator", ["pathwise", AVERAGED])
def test_steps_are_those_of_a_loop_by_hand(estimator):
    """Gradient descent on the same noise, with a baseline that is learned after each step."""
    found = trained(estimator, optimizer="sgd", learning_rate=0.01, steps=3, record=3, seeds=2)
    workload = prepare_unlearned(make_problem(QUADRATIC), make_estimator(estimator), 4)
    problem, current = workload.problem, workload.estimator
    params = {name: value.clone() for name, value in workload.params(2).items()}
    for step in range(3):
        noise = current.draw(problem, params, 4, workload.source("step", step))
        gradient = current.gradient(problem, params, noise)
        moved = {name: value - 0.01 * gradient[name] for name, value in params.items()}
        current, params = current.update(problem, params, noise), moved
    for name, value in params.items():
        torch.testing.assert_close(found.params[name], value)
    assert (found.params["loc"][0] != found.params["loc"][1]).all(), "each seed has noise of its own"
    if estimator == AVERAGED:
        assert learned_state(current)["control_variate"]["average"].shape == (2,)


def test_the_objective_is_exact_and_falls():
    found = trained(steps=200, record=50, learning_rate=0.05, seeds=3)
    values = curve(found)
    assert sorted(values) == [(step, seed) for step in range(0, 201, 50) for seed in range(3)]
    assert [values[0, seed] for seed in range(3)] == [pytest.approx(4.0)] * 3
    assert all(values[50 * k, seed] > values[50 * k + 50, seed] for k in range(4) for seed in range(3))
    expected = make_problem(QUADRATIC).expected_cost({n: v.double() for n, v in found.params.items()})
    assert expected is not None
    np.testing.assert_allclose([values[200, seed] for seed in range(3)], expected)
    last = [values[200, seed] for seed in range(3)]
    half = stats.t.ppf(0.975, 2) * np.std(last, ddof=1) / 3**0.5
    wanted = (np.mean(last), np.mean(last) - half, np.mean(last) + half)
    assert (found.objective.value, found.objective.low, found.objective.high) == pytest.approx(wanted)


def test_the_variance_along_the_path_is_that_of_the_estimate():
    """At the start: pathwise has 4σ²/S in loc and (4 + 8)/S in log_scale; 16 draws for each of many seeds."""
    first = [value for (step, _), value in curve(trained(steps=1, seeds=400), "gradient_variance").items() if step == 0]
    error = np.std(first, ddof=1) / len(first) ** 0.5
    assert abs(np.mean(first) - 2 * (4 + 12) / 4) < 4 * error < 0.5


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


def test_a_run_that_diverges_is_stopped_and_says_so():
    found = trained("pathwise", optimizer="sgd", learning_rate=10.0, steps=500, record=5, seeds=3)
    assert (found.diverged, found.steps) == (3, 5) and math.isnan(found.objective.value)
    assert set(curve(found, "diverged")) == {(5, seed) for seed in range(3)}
    assert {step for step, _ in curve(found)} == {0}


@pytest.mark.parametrize("problem", ["poisson-quadratic:dim=2", "von-mises-cost:dim=2", "digits-sbn:latent=2,layers=2"])
def test_samplers_end_where_parameters_have_run_away(problem):
    """Those of torch that refuse NaN, or reject every sample for ever."""
    estimator = "score-function:control_variate=leave-one-out"
    found = trained(estimator, problem, optimizer="sgd", learning_rate=1e30, steps=20, record=10, seeds=2)
    assert (found.diverged, found.steps) == (2, 10)


def test_a_seed_that_diverges_leaves_the_others_alone(monkeypatch):
    evaluate = Optimisation._evaluate

    def one_seed_lost(self):
        found = evaluate(self)
        if self.step >= 20:
            found["objective"][1] = math.nan
        return found

    whole = trained(steps=40, record=10, seeds=3)
    monkeypatch.setattr(Optimisation, "_evaluate", one_seed_lost)
    found = trained(steps=40, record=10, seeds=3)
    assert (found.diverged, found.steps) == (1, 40)
    assert curve(found) == {place: value for place, value in curve(whole).items() if place[1] != 1 or place[0] < 20}
    assert list(curve(found, "diverged")) == [(20, 1)]


def test_every_step_and_seed_has_a_batch_of_its_own(monkeypatch):
    """Of distinct data points, all equally likely; the step is one on the problem of that batch."""
    batch, drawn = LatentVariableProblem.batch, []

    def recorded(self, indices):
        drawn.append(indices)
        return batch(self, indices)

    monkeypatch.setattr(LatentVariableProblem, "batch", recorded)
    workload = prepare_unlearned(make_problem("linear-gaussian:dim=1,points=8"), make_estimator("pathwise"), 2)
    run = Optimisation(workload, Train(optimizer="sgd", learning_rate=1e-3, batch=3, seeds=4))
    run.advance()
    params, source = workload.params(4), workload.source("step", 0)
    part = batch(workload.problem, drawn[0])  # type: ignore[arg-type]
    wanted = workload.estimator.gradient(part, params, workload.estimator.draw(part, params, 2, source))
    for name, value in run.params.items():
        torch.testing.assert_close(value.detach(), params[name] - 1e-3 * wanted[name])
    for _ in range(299):
        run.advance()
    found = torch.stack(drawn).sort(-1).values
    assert found.shape == (300, 4, 3) and (found.diff(dim=-1) > 0).all()
    same = 1 / math.comb(8, 3)
    for pairs in (found[1:] == found[:-1], found[:, 1:] == found[:, :-1]):
        agree = pairs.all(-1).double()
        assert agree.mean() < same + 4.5 * (same / agree.numel()) ** 0.5
    error = (300 * 4 * 3 / 8 * (1 - 3 / 8)) ** 0.5
    assert (found.flatten().bincount(minlength=8) - 450).abs().max() < 4.5 * error


@pytest.mark.parametrize("batch", [8, 10**9])
def test_a_batch_as_large_as_the_data_or_larger_is_the_data(batch):
    """Up to the order, in which the noise is another."""
    whole, part = (
        prepare_unlearned(make_problem("linear-gaussian:dim=1,points=8"), make_estimator("exact"), 1) for _ in range(2)
    )
    one, two = (Optimisation(w, Train(batch=size)) for w, size in ((whole, 0), (part, batch)))
    one.advance()
    two.advance()
    for name, value in one.params.items():
        torch.testing.assert_close(two.params[name], value)


def test_every_record_is_evaluated_on_the_same_samples():
    """A curve moves where the parameters do, and by no other chance."""
    found = curve(trained("pathwise", "digits-vae:hidden=2,latent=3", batch=4, learning_rate=1e-30, steps=2, record=1))
    assert all(found[step, seed] == found[0, seed] for step, seed in found) and len(found) == 15


def test_without_data_there_are_no_mini_batches():
    with pytest.raises(Unsupported, match="gaussian-quadratic has no data to draw mini-batches from"):
        trained(batch=8)


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


SWEEP = """
name = "curves"
experiment = "train"
num_samples = 4
estimator = ["pathwise", "score-function:control_variate=moving-average", "gumbel-softmax"]
problem = "gaussian-quadratic:dim=2"

[train]
steps = 40
record = 10
seeds = 3
learning_rate = [0.01, 0.1]

[timing]
rounds = 2
"""


def test_a_sweep_of_training(gradmark, tmp_path):
    (tmp_path / "curves.toml").write_text(SWEEP)
    code, _, err = gradmark("run", str(tmp_path / "curves.toml"))
    assert code == 0 and "6 cells: 4 done, 2 skipped, 0 failed" in err, err
    run = load("results/curves")
    done = run.cells.query("status == 'done'")
    assert sorted(done["learning_rate"]) == [0.01, 0.01, 0.1, 0.1] and set(done["optimizer"]) == {"adam"}
    assert set(done["steps"]) == {40} and set(done["diverged"]) == {0} and set(done["timing_status"]) == {"done"}
    assert min(done["seconds_per_gradient"]) > 0 and not done["total_variance"].notna().to_numpy().any()
    (cell,) = done.query("estimator == 'pathwise' and learning_rate == 0.1").to_dict("records")
    found = trained(steps=40, record=10, seeds=3, learning_rate=0.1)
    rows = run.traces.query("key == @cell['key']").drop(columns="key").to_dict("records")
    assert rows == found.curves and cell["objective"] == pytest.approx(found.objective.value)
    assert gradmark("run", str(tmp_path / "curves.toml"))[0] == 0
    assert gradmark("compare", "results/curves", "results/curves")[0] == 0


def test_a_cell_that_cannot_be_trained_is_skipped():
    answer = measure_cell(Cell("pathwise", QUADRATIC, 2, train=Train(batch=3)))
    assert isinstance(answer, Skipped) and "mini-batches" in answer.reason
    answer = measure_cell(Cell("pathwise", QUADRATIC, 2, train=Train(steps=2)))
    assert isinstance(answer, Measured) and answer.row["stop_reason"] == "steps"
    json.dumps(answer.tables)


def test_a_killed_run_ends_with_the_curves_it_would_have_had(gradmark, tmp_path, monkeypatch):
    """Killed after a record in the middle of its only cell, and repeated."""
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path / "cache"))
    settings = (
        'num_samples = 2\nproblem = "gaussian-quadratic:dim=2"\ntrain = {steps = 1_000, record = 20, seeds = 2}\n'
    )
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
    assert 0 < reached < 1_000
    code, _, err = gradmark("run", str(tmp_path / "killed.toml"))
    assert code == 0 and "1 done" in err and not list((tmp_path / "cache" / "training").iterdir())
    found = load("results/killed").traces.drop(columns="key").to_dict("records")
    assert found == trained(AVERAGED, num_samples=2, steps=1_000, record=20, seeds=2).curves
