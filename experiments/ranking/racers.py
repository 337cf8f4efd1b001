"""Who races: the few estimators of a ranking that may train a model best."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from estimators.interface import Estimator, Problem
from experiments.gradients.prepare import prepare_unlearned
from experiments.gradients.problem_checks import usable_batch
from experiments.gradients.workload import Workload
from experiments.measuring.measurement import Measurement
from experiments.ranking.entries import measured
from experiments.ranking.order import DISPUTED, places, plain_of
from experiments.timing.rounds import BLOCK_SECONDS, ROUNDS, Timed, time_gradients
from experiments.training.optimisation import Optimisation
from experiments.training.settings import Train

__all__ = ["Racer", "labelled", "the_best_few", "timed"]

UNBIASED, BIASED = 3, 2
"""The most racers of each kind."""
BATCH = 64
"""Data points of a step, where there are more."""
CALLS = 3
"""Of a step, in a round of timing and before the first."""


@dataclass(frozen=True)
class Racer:
    """An estimator that is about to train, and learns as it trains."""

    measurement: Measurement
    entry: int
    """Its place among the racers, from 0."""
    workload: Workload
    batch: int
    """Data points of a step; 0: all, or there are none."""
    step_seconds: float
    """Seconds of a whole step of one model: batch, noise, gradient, optimiser, and what the estimator learns."""

    @classmethod
    def of(cls, problem: Problem, estimator: Estimator, one: Measurement, entry: int) -> "Racer":
        """Who was measured, with the time of its second step. Raises what the problem or the estimator raise."""
        place = {"seed": one.seed, "device": one.device, "dtype": one.dtype}
        workload = prepare_unlearned(problem, estimator, one.num_samples, **place)
        batch = usable_batch(workload.problem, workload.point, BATCH) if problem.num_data > BATCH else 0
        new = cls(one, entry, workload, batch, 0.0)
        step = new.run(seeds=1).advance
        step()
        began = time.perf_counter()
        step()
        return replace(new, step_seconds=time.perf_counter() - began)

    @property
    def label(self) -> str:
        return labelled(self.measurement)

    @property
    def biased(self) -> bool:
        return "biased" in (self.measurement.verdict, self.measurement.claim)

    def run(self, seeds: int, learning_rate: float = 1e-3, seed: int | None = None) -> Optimisation:
        """A run of Adam from the start, of so many models at once."""
        workload = self.workload if seed is None else replace(self.workload, seed=seed)
        return Optimisation(workload, Train(learning_rate=learning_rate, batch=self.batch, seeds=seeds))


def the_best_few(found: Sequence[Measurement]) -> list[Measurement]:
    """The best three that are unbiased by their error × time, the plain one, and the best two biased ones of two kinds.

    A small bias, or a gradient that is a multiple of the right one, may train a model better than a large variance
    does, and no error at the start says when: only a race does. Two variants of one biased estimator would say the same
    twice. Gradients of other objectives, and what is not finite, do not race.
    """
    ranked = [(found[index], one) for index, one in places(measured(found)) if one.comparable]
    unbiased = [measurement for measurement, one in ranked if one.aside in ("", DISPUTED)]
    kinds = {
        measurement.estimator.partition(":")[0]: measurement for measurement, one in reversed(ranked) if one.biased
    }
    biased = [measurement for measurement, _ in ranked if measurement in kinds.values()]
    few = unbiased[:UNBIASED]
    plain = plain_of(unbiased, lambda one: one.estimator)
    held_against = [plain] if plain is not None and plain not in few else []
    return few + held_against + biased[:BIASED]


def labelled(one: Measurement) -> str:
    """An estimator with its number of samples, of which a ranking may have several."""
    return f"{one.estimator}, {one.num_samples} samples"


def timed(racers: Sequence[Racer], seconds: float) -> list[Racer]:
    """With their steps timed in turn, in rounds, for about so many seconds: a machine that is busy is so for all."""
    round_seconds = sum(max(racer.step_seconds * CALLS, BLOCK_SECONDS) for racer in racers)
    rounds = max(1, min(ROUNDS, int(seconds / max(round_seconds, 1e-9))))
    steps = [Timed.step(racer.workload, racer.run(seeds=1).advance) for racer in racers]
    found = time_gradients(steps, rounds)
    return [
        replace(racer, step_seconds=timing.seconds_per_gradient.value)
        for racer, timing in zip(racers, found, strict=True)
    ]
