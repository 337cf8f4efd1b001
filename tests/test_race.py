"""A race: who takes part, that all train alike for the same seconds, and who is told apart from the best."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from races import steps_alone_take_time
from rich.console import Console

from estimators import make_estimator, make_problem
from experiments import Measurement, Train, train
from experiments.gradients.prepare import prepare, prepare_unlearned
from experiments.measuring.loop import estimate
from experiments.measuring.reference import NoReference
from experiments.measuring.stop import Stop
from experiments.ranking import racing
from experiments.ranking.entries import measured
from experiments.ranking.laps import Run
from experiments.ranking.order import in_order
from experiments.ranking.raced import Race
from experiments.ranking.racers import the_best_few
from experiments.ranking.racing import RATES, run_race
from experiments.statistics import Interval
from experiments.terminal.progress import Narrator
from experiments.timing.rounds import Timing
from experiments.training.objective import MOST, Evaluation

QUADRATIC, SBN = "gaussian-quadratic:dim=2", "digits-sbn:latent=3,points=8"
QUIET = Narrator(Console(quiet=True), None)
STEPS = {"pathwise": 1e-3, "score-function": 2e-3, "gumbel-softmax": 1e-3}
"""Seconds of a step that the tests let time be."""


@pytest.fixture(autouse=True)
def clocked(monkeypatch: pytest.MonkeyPatch) -> None:
    steps_alone_take_time(monkeypatch, STEPS)


def found(problem: str, *estimators: str) -> list[Measurement]:
    return [_measured(problem, spec) for spec in estimators]


def _measured(problem: str, spec: str) -> Measurement:
    work = prepare(make_problem(problem), make_estimator(spec), 4).at_most(256)
    latency = np.full(3, STEPS[work.estimator.name])
    timing = Timing(latency, latency, None, "no machine")
    return replace(estimate(work, NoReference(), Stop(replicates=256)), timing=timing)


def run(problem: str, *estimators: str, seconds: float = 0.6) -> Race:
    return run_race(make_problem(problem), found(problem, *estimators), seconds, QUIET)


def test_all_train_as_anybody_does_for_the_same_seconds() -> None:
    result = run(QUADRATIC, "pathwise", "score-function")
    assert result.seconds == result.clock[-1] > 0 and not result.left_out and len(result.raced) == 2
    for one in result.raced:
        assert one.steps == pytest.approx(result.seconds / STEPS[one.estimator], abs=1)
        settings = Train(learning_rate=one.learning_rate, steps=one.steps, record=one.steps, seeds=one.seeds)
        wanted = train(make_problem(QUADRATIC), make_estimator(one.estimator), 4, settings)
        last = [row["value"] for row in wanted.curves if (row["step"], row["quantity"]) == (one.steps, "objective")]
        np.testing.assert_allclose(one.curve[-1], last)
        np.testing.assert_allclose(one.curve[0], 4.0)
        assert one.objective.value == pytest.approx(wanted.objective.value) and one.learning_rate in RATES


def test_the_biased_one_that_trains_better_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no ranking by errors says: there it has no place."""
    monkeypatch.setattr(racing, "RECORDS", 1)
    measurements = found(SBN, "score-function", "gumbel-softmax")
    ranked = in_order(measured(measurements))
    assert [(one.estimator, one.usable) for one in ranked] == [("score-function", True), ("gumbel-softmax", False)]
    result = run_race(make_problem(SBN), measurements, 0.4, QUIET)
    first, second = result.raced
    assert (first.estimator, first.biased, second.biased) == ("gumbel-softmax", True, False)
    assert result.batch == 64 and not result.is_tied(second) and second.over(first).low > 0


def test_the_learning_rate_is_the_best_of_a_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rates of which one does nothing and one runs away."""
    monkeypatch.setattr(racing, "RATES", (1e-12, 0.02, 1e30))
    result = run(QUADRATIC, "pathwise", "score-function")
    assert {one.learning_rate for one in result.raced} == {0.02}


def test_racers_whose_seeds_all_diverge_win_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "RATES", (1e30,))
    result = run(QUADRATIC, "pathwise")
    assert result.raced[0].diverged == result.raced[0].seeds and not result.finished and not result.tied
    assert np.isnan(result.raced[0].objective.value) and np.isfinite(result.raced[0].curve[0]).all()


def test_who_raises_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    drive = Run.drive

    def broken(self: Run, clock: float) -> None:
        if self.racer.measurement.estimator == "pathwise":
            raise ZeroDivisionError("boom")
        drive(self, clock)

    monkeypatch.setattr(Run, "drive", broken)
    result = run(QUADRATIC, "pathwise", "score-function")
    assert [one.estimator for one in result.raced] == ["score-function"]
    assert result.left_out["pathwise, 4 samples"].startswith("ZeroDivisionError: boom")


def test_who_is_too_slow_says_what_it_would_take() -> None:
    result = run(QUADRATIC, "pathwise", seconds=1e-4)
    assert not result.raced and "a race with it takes" in result.left_out["pathwise, 4 samples"]
    assert not run_race(make_problem(QUADRATIC), [], 1.0, QUIET).raced


def test_an_interrupted_race_ends_with_its_last_record(monkeypatch: pytest.MonkeyPatch) -> None:
    drive, calls = Run.drive, []

    def interrupted(self: Run, clock: float) -> None:
        if self.optimisation.settings.seeds > racing.PILOT_SEEDS:
            calls.append(clock)
            if len(calls) == 5:
                raise KeyboardInterrupt
        drive(self, clock)

    monkeypatch.setattr(Run, "drive", interrupted)
    result = run(QUADRATIC, "pathwise", "score-function")
    assert len(calls) == 5 and len(result.raced) == 2 and result.seconds == result.clock[-1] < calls[-1]
    assert all(len(one.curve) == len(result.clock) for one in result.raced)


def placed(base: Measurement, spec: str, mse: float, verdict: str = "unbiased", target: str = "") -> Measurement:
    error = Interval(mse, 0.99 * mse, 1.01 * mse)
    changes = {"estimator": spec, "mse": error, "verdict": verdict, "leave_one_out": {}}
    return replace(base, **changes, target=target or base.target)  # type: ignore[arg-type]


def test_who_races() -> None:
    (base,) = found(QUADRATIC, "pathwise")
    field = [
        *(placed(base, f"good-{mse}", mse) for mse in (4, 1, 3, 2)),
        placed(base, "relaxed:hard=true", 10, "biased"),
        placed(base, "relaxed", 11, "biased"),
        placed(base, "other", 12, "biased"),
        placed(base, "third", 13, "biased"),
        placed(base, "iwae", 0.1, target="a bound"),
        placed(base, "exact", 0.0),
    ]
    names = [one.estimator for one in the_best_few(field)]
    assert names == ["good-1", "good-2", "good-3", "relaxed:hard=true", "other"]


def test_objectives_are_taken_as_precisely_as_there_is_time() -> None:
    workload = prepare_unlearned(make_problem(QUADRATIC), make_estimator("pathwise"), 4)
    params = workload.params(400)
    exact = Evaluation.within(workload, params, 60.0)
    assert exact.samples == 0 and torch.allclose(exact(params), torch.tensor(4.0, dtype=torch.float64))
    assert Evaluation.within(workload, params, -1.0).samples == 1
    many = replace(exact, samples=256)
    values = many(params)
    assert (values - 4).abs().mean() > 0 and torch.equal(values, many(params)), "the same noise each time"
    assert abs(values.mean() - 4) < 4.5 * values.std() / 400**0.5
    assert values.var().item() == pytest.approx(2 * (2 + 4) / 256, rel=0.35), "each replicate has noise of its own"
    unknown = prepare_unlearned(make_problem("digits-vae:hidden=2,latent=3,points=2"), make_estimator("pathwise"), 1)
    assert Evaluation.within(unknown, unknown.params(2), -1.0).samples == 0, "it evaluates itself"
    assert MOST >= 1_000
