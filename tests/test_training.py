"""Training: steps as one would write them by hand, runs that go on after a kill, divergence, what the store gets."""

import json
import math

import numpy as np
import pytest
import torch
from scipy import stats

from estimators.interface import LatentVariableProblem, Unsupported
from estimators.learning.state import learned_state
from estimators.registry import make_estimator, make_problem
from experiments import Train, load, train
from experiments.engine.experiment import Measured, Skipped
from experiments.engine.work import measure_cell
from experiments.gradients.prepare import prepare_unlearned
from experiments.sweep import Cell
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
    expected = make_problem(QUADRATIC).exact_cost({n: v.double() for n, v in found.params.items()})
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
    drawn.clear()  # it was tried on two batches
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
    with pytest.raises(Unsupported, match="gaussian-quadratic:dim=2 has no data to draw mini-batches from"):
        trained(batch=8)


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
