"""A race: the few best of a ranking train the model itself, for the same seconds, and the objective says who wins."""

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from estimators.interface import Estimator, Problem
from estimators.noise import derive_seed
from estimators.registry import make_estimator
from experiments.machine.errors import reason
from experiments.measuring.measurement import Measurement
from experiments.ranking.laps import Run, laps
from experiments.ranking.raced import Race, Raced
from experiments.ranking.racers import Racer, labelled, the_best_few, timed
from experiments.terminal.progress import Narrator
from experiments.training.objective import Evaluation
from experiments.training.optimisation import stays

__all__ = ["RATES", "run_race"]

RATES = (0.001, 0.004, 0.016, 0.064)
"""Learning rates of Adam that every racer tries."""
SEEDS, FEWEST_SEEDS = 5, 3
PILOT_SEEDS = 2
TIMING, PILOT, EVALUATING = 0.1, 0.5, 0.15
"""Shares of the seconds: for timing steps, for learning rates (a short pilot prefers large ones), for objectives."""
RECORDS = 8
"""Objectives of a racer that the share for evaluating has to pay for; there are more where they are cheaper."""
FEWEST_STEPS, MANY_STEPS = 10, 300
"""Steps that a racer has to make in the race, and from how many on there are more seeds."""


def run_race(
    problem: Problem,
    found: Sequence[Measurement],
    seconds: float,
    progress: Narrator,
    own: Mapping[str, Estimator] | None = None,
) -> Race:
    """Train the best few of what was measured on a problem (`the_best_few`), for about so many seconds in all.

    All begin at the initial parameters, with Adam, and meet the same noise and mini-batches, seed by seed; an estimator
    that learns does so from the steps. The learning rate of each is the best of four in a pilot with other seeds, a
    fraction as long as the race. They train in turn, a lap each. A second is one of somebody who trains one model: a
    step counts what it takes at R = 1, timed in turn, although all seeds are trained at once here. Objectives are taken
    on noise that is the same for all racers, off their clocks.

    Ctrl-C ends the race itself early; before, it is raised. Whoever raises an error leaves, and `left_out` says why.
    `own` are estimators by spec that are not registered.
    """
    began = time.monotonic()
    left_out: dict[str, str] = {}
    racers = _entered(problem, the_best_few(found), seconds, own or {}, left_out)
    if not racers:
        return Race.of_nobody(problem.spec, left_out)
    racers = timed(racers, TIMING * seconds)
    seeds = _seeds(racers, seconds)
    evaluations = len(racers) * (RECORDS + len(RATES) * PILOT_SEEDS / seeds)
    workload = racers[0].workload
    evaluate = Evaluation.within(workload, workload.params(seeds), EVALUATING * seconds / evaluations)
    left = began + seconds - time.monotonic()
    progress.say(f"{len(racers)} estimators try {len(RATES)} learning rates each: {PILOT * left:.0f} s")
    rates = _pilot(racers, evaluate, PILOT * left, left_out)
    runs = [
        Run(racer, rates[racer.label], racer.run(seeds, rates[racer.label])) for racer in racers if racer.label in rates
    ]
    left = max(began + seconds - time.monotonic(), 0.0)
    progress.say(f"they train {seeds} models each, in turn: {left:.0f} s")
    return _raced(problem.spec, runs, evaluate, left, left_out)


def _entered(
    problem: Problem,
    chosen: Sequence[Measurement],
    seconds: float,
    own: Mapping[str, Estimator],
    left_out: dict[str, str],
) -> list[Racer]:
    """Those whose steps are fast enough for so many seconds."""
    racers = []
    longest = seconds * (1 - PILOT) / (len(chosen) * FEWEST_SEEDS * FEWEST_STEPS) if chosen else 0.0
    for entry, one in enumerate(chosen):
        assert one.timing is not None
        try:
            racer = Racer.of(problem, own.get(one.estimator) or make_estimator(one.estimator), one, entry)
        except Exception as error:
            left_out[labelled(one)] = reason(error)
            continue
        if racer.step_seconds > longest:
            needed = seconds * racer.step_seconds / longest
            left_out[racer.label] = f"a step takes {racer.step_seconds:.2g} s: a race with it takes {needed:.0f} s"
        else:
            racers.append(racer)
    return racers


def _seeds(racers: Sequence[Racer], seconds: float) -> int:
    """Five where that leaves many steps, else three."""
    steps = seconds * (1 - PILOT) / (SEEDS * sum(racer.step_seconds for racer in racers))
    return SEEDS if steps >= MANY_STEPS else FEWEST_SEEDS


def _pilot(racers: Sequence[Racer], evaluate: Evaluation, seconds: float, left_out: dict[str, str]) -> dict[str, float]:
    """The best learning rate of each racer, by the mean objective of a few seeds of its own."""
    seed = derive_seed(racers[0].workload.seed, "pilot")
    runs = [Run(racer, rate, racer.run(PILOT_SEEDS, rate, seed)) for racer in racers for rate in RATES]
    for _ in laps(runs, seconds - len(runs) * evaluate.seconds, left_out):
        pass
    found: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        run.record(evaluate)
        mean = float(run.objectives[0].mean())
        found.setdefault(run.racer.label, []).append((mean if math.isfinite(mean) else math.inf, run.learning_rate))
    return {label: min(tried)[1] for label, tried in found.items()}


def _raced(spec: str, runs: list[Run], evaluate: Evaluation, seconds: float, left_out: dict[str, str]) -> Race:
    """The race itself, with a record wherever the share for evaluating pays for one, and one at the end."""
    everyone = len(runs) * evaluate.seconds
    clock, spent, began = [0.0], 0.0, time.monotonic()
    _record(runs, evaluate)
    now, interrupted = 0.0, False
    try:
        for now in laps(runs, seconds - 2 * everyone, left_out):
            elapsed = time.monotonic() - began
            if spent + everyone <= EVALUATING * elapsed and elapsed >= len(clock) * seconds / (4 * RECORDS):
                before = time.monotonic()
                _record(runs, evaluate)
                clock.append(now)
                spent += time.monotonic() - before
    except KeyboardInterrupt:
        now, interrupted = clock[-1], True
    if now > clock[-1]:
        _record(runs, evaluate)
        clock.append(now)
    found = [_result(run, len(clock)) for run in runs]
    batch = runs[0].racer.batch if runs else 0
    found.sort(key=lambda one: (one.diverged, one.objective.value))
    return Race(spec, clock[-1], np.array(clock), batch, found, left_out, interrupted)


def _record(runs: Sequence[Run], evaluate: Evaluation) -> None:
    for run in runs:
        run.record(evaluate)


def _result(run: Run, records: int) -> Raced:
    objectives, first = torch.stack(run.objectives[:records]), run.objectives[0]
    lost = (~stays(objectives, first)).cumsum(0) > 0
    one = run.racer
    return Raced(
        one.measurement.estimator,
        one.measurement.num_samples,
        one.entry,
        one.biased,
        one.workload.estimator.learns,
        run.learning_rate,
        one.step_seconds,
        run.steps[records - 1],
        torch.where(lost, torch.nan, objectives).numpy(),
    )
