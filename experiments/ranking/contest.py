"""Estimators measured against each other on one problem, within a budget."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from estimators.interface import Problem
from experiments.gradients.prepare import prepare
from experiments.machine.errors import reason
from experiments.measuring.find_reference import References
from experiments.measuring.loop import extend
from experiments.measuring.measurement import Measurement
from experiments.measuring.moments import Sampling
from experiments.measuring.stop import MAX_REPLICATES, Stop
from experiments.ranking.budget import Budget
from experiments.ranking.entries import Entry, measured
from experiments.ranking.order import By, undecided
from experiments.terminal.progress import Narrator
from experiments.timing.rounds import ROUNDS, Timed, Timing, time_gradients

__all__ = ["Contest", "Outcome", "affordable", "at_the_pace_of"]

ENTRY = 0.5
"""The share of the budget for a first look at all estimators, before the contest goes on among the best."""
TIMING_SHARE = 0.3
"""The share of any part of the budget for times; the rest is for variances."""
CALIBRATION = 2
"""Calls that find out how long a block is."""
PHASES = 10
"""At the end of each, those that are told apart from the best leave."""
ROUGH, PRECISE = 0.25, 0.02
"""Relative half-widths: of a variance for a first look, and of the ratio to the best, for a tie to be a tie."""
FINEST = 1e-6
"""A relative half-width of a variance that nobody reaches: replicates alone end a phase."""


class Outcome(NamedTuple):
    """What a contest has found."""

    measurements: list[Measurement]
    """Each carries its estimator and its num_samples: `Entry.of`."""
    failed: dict[Entry, str]
    """Who raised, and what."""
    left_out: dict[Entry, str]
    """Who did not fit into the budget, and what it would take."""
    interrupted: bool = False
    """Ctrl-C ended it: this is what was known by then."""


@dataclass(frozen=True)
class Contestant:
    """An estimator and what was found about it so far."""

    sampling: Sampling
    timed: Timed
    measurement: Measurement
    spent: float
    """Seconds of all its measuring."""

    @property
    def pace(self) -> float:
        """Seconds that a replicate takes."""
        return self.spent / max(self.sampling.replicates, 1)

    def sampled(self, replicates: int, seconds: float) -> "Contestant":
        """After more replicates, up to a number of them all, or what the seconds allow."""
        began = time.monotonic()
        found = extend(self.sampling, Stop(rtol=FINEST, max_replicates=replicates, max_seconds=max(seconds, 1e-3)))
        spent = self.spent + time.monotonic() - began
        return replace(self, measurement=replace(found, timing=self.measurement.timing), spent=spent)


@dataclass(frozen=True)
class Contest:
    """What is measured on, and the budget of all estimators together.

    Successive elimination: every estimator is measured roughly; what is left of the budget goes, in phases, to those
    that are not told apart from the best. All of these draw equally many replicates, since ratios come from pairs:
    noise that several have met cancels.

    The reference gradient, where it has to be measured, is not in the budget. What is not cut short either: a fit, and
    the first block of replicates; whoever takes longer than its share leaves less to those behind it.
    """

    problem: Problem
    device: str
    seed: int
    budget: Budget
    dtype: str = "float32"
    by: By = "seconds"
    """What errors are multiplied by."""

    def measure(self, entries: Sequence[Entry], progress: Narrator) -> Outcome:
        """The measurements, and why others have none. After Ctrl-C it is what was found by then."""
        failed: dict[Entry, str] = {}
        deadline, field = self._enter(entries, failed, progress)
        for phase in range(PHASES):
            contenders = _undecided(field, self.by)
            left = deadline - time.monotonic()
            if len(contenders) < 2 or left <= 0:
                break
            progress.say(f"{len(contenders)} estimators may be the best: {left:.0f} s left to tell them apart")
            share = left / (PHASES - phase) * (1 - TIMING_SHARE)
            replicates = affordable([field[entry] for entry in contenders], share)
            for entry in contenders:
                try:
                    field[entry] = field[entry].sampled(replicates, share)
                except Exception as error:
                    failed[entry] = reason(error)
                    del field[entry]
            still = [entry for entry in contenders if entry in field]
            field |= _timed({entry: field[entry] for entry in still}, seed=phase + 1)
        return Outcome([one.measurement for one in field.values()], failed, {})

    def _enter(
        self, entries: Sequence[Entry], failed: dict[Entry, str], progress: Narrator
    ) -> tuple[float, dict[Entry, Contestant]]:
        """When the budget ends, and every estimator with a rough measurement."""
        references = References()
        field: dict[Entry, Contestant] = {}
        began = time.monotonic()
        seconds = self.budget.seconds or math.inf
        first = ENTRY * seconds
        block = first * TIMING_SHARE / max(len(entries) * (ROUNDS + CALIBRATION), 1)
        progress.start("measuring", len(entries))
        for index, entry in enumerate(entries):
            try:
                place = {"seed": self.seed, "device": self.device, "dtype": self.dtype}
                workload = prepare(self.problem, entry.estimator, entry.num_samples, **place)
                before = time.monotonic()
                sampling = Sampling(workload, references.find(workload))
                began += time.monotonic() - before
                share = (began + first * (1 - TIMING_SHARE) - time.monotonic()) / (len(entries) - index)
                stop = Stop(rtol=ROUGH, max_seconds=max(share, 1e-3))
                started = time.monotonic()
                measurement = extend(sampling, stop)
                spent = time.monotonic() - started
                field[entry] = Contestant(sampling, Timed.latency(workload, block), measurement, spent)
            except Exception as error:
                failed[entry] = reason(error)
            progress.advance(entry.spec)
        progress.start("timing", len(field) * ROUNDS)
        return began + seconds, field | _timed(field, 0, progress)


def _undecided(field: Mapping[Entry, Contestant], by: By) -> list[Entry]:
    """Who may still be the best; empty: that is decided."""
    entries = list(field)
    ranked = measured([one.measurement for one in field.values()], by)
    numbered = [replace(one, estimator=str(place)) for place, one in enumerate(ranked)]
    return [entries[int(place)] for place in undecided(numbered, PRECISE)]


def affordable(contestants: Sequence[Contestant], seconds: float) -> int:
    """The number of replicates that all of them can reach together in a number of seconds."""
    least, *more = sorted(contestants, key=lambda one: one.sampling.replicates)
    reached, pace = least.sampling.replicates, least.pace
    for one in more:
        step = (one.sampling.replicates - reached) * pace
        if step >= seconds:
            break
        seconds -= step
        reached, pace = one.sampling.replicates, pace + one.pace
    return min(reached + int(seconds / max(pace, 1e-12)) + 1, MAX_REPLICATES)


def _timed(field: Mapping[Entry, Contestant], seed: int, progress: Narrator | None = None) -> dict[Entry, Contestant]:
    """After more rounds of timing, all in turn."""
    advance = (lambda: None) if progress is None else (lambda: progress.advance("all estimators in turn"))
    found = time_gradients([one.timed for one in field.values()], ROUNDS, seed, advance)
    timings = at_the_pace_of([one.measurement.timing for one in field.values()], found)
    return {
        spec: replace(one, measurement=replace(one.measurement, timing=timing))
        for (spec, one), timing in zip(field.items(), timings, strict=True)
    }


def at_the_pace_of(before: Sequence[Timing | None], after: Sequence[Timing]) -> list[Timing]:
    """All rounds, the later ones as if the machine were as fast as in the earlier.

    Who left the contest was timed then, and has to be compared with who is timed now.
    """
    pairs = [(early.latency, late.latency) for early, late in zip(before, after, strict=True) if early is not None]
    if not pairs:
        return list(after)
    pace = float(np.median([np.median(early) / np.median(late) for early, late in pairs]))
    joined = [np.concatenate([early, late * pace]) for early, late in pairs]
    return [replace(timing, latency=latency) for timing, latency in zip(after, joined, strict=True)]
