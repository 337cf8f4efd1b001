"""Estimators measured against each other on one problem, within a budget."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import NamedTuple

from estimators.interface import Problem
from experiments.gradients.metering import NoneLeft
from experiments.machine.deadline import TimeUp, deadline
from experiments.measuring.batch_share import PART, with_batch_share
from experiments.measuring.measurement import Measurement
from experiments.ranking.bounded import counted
from experiments.ranking.budget import Budget
from experiments.ranking.entries import Entry, ranked
from experiments.ranking.opening import Opening
from experiments.ranking.order import By
from experiments.ranking.phases import Going
from experiments.ranking.readiness import Readiness
from experiments.statistics import GROUPS
from experiments.terminal.progress import Narrator

__all__ = ["Contest", "Outcome"]

LITTLE = 0.05
"""A part of the budget that may follow it."""
NOT_BEGUN = "the budget ended before it was measured"


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
class Contest:
    """What is measured on, and the budget of all estimators together.

    Successive elimination: every estimator is measured roughly; what is left of the budget goes, in phases, to those
    that are not told apart from the best. All of these draw equally many replicates, since ratios come from pairs:
    noise that several have met cancels.

    Fits and the reference gradient, where it has to be measured, are in the budget; evaluations are counted, whoever
    asks for them. Nobody takes more than its share: who cannot have 64 gradients with it waits for what others leave,
    and is left out where that is not enough.
    """

    problem: Problem
    device: str
    seed: int
    budget: Budget
    dtype: str = "float32"
    by: By = "seconds"
    """What errors are multiplied by."""
    batch: int = 0
    """The data points of a mini-batch, where gradients are on those."""

    def measure(self, entries: Sequence[Entry], progress: Narrator) -> Outcome:
        """The measurements, and why others have none. After Ctrl-C it is what was found by then."""
        if not entries:
            return Outcome([], {}, {})
        import_module("torch._dynamo")  # torch does so where memory is first measured: that is start-up, no estimator's
        opening = Opening(Readiness(self.problem, self._place, progress.doing))
        going = Going(self.budget.opened(), opening, progress, self.by)
        interrupted = False
        try:
            with (
                counted(self.problem, going.purse),
                progress.countdown("ranking", lambda: going.purse.part_spent, going.told),
            ):
                self._go(going, entries)
        except KeyboardInterrupt:
            interrupted = True
        going.close()
        if self.batch and not interrupted:
            self._share_of_the_batch(going)
        known = {entry: one.told for entry, one in going.opening.competing.items() if one.told is not None}
        failed, left_out = going.opening.readiness.failed, dict(going.opening.readiness.left_out)
        for entry in entries:
            if entry not in known and entry not in failed:
                left_out.setdefault(entry, NOT_BEGUN)
        return Outcome(list(known.values()), failed, left_out, interrupted)

    def _share_of_the_batch(self, going: Going) -> None:
        """That of the best, where it takes little: its pairs come after the budget."""
        competing = {entry: one for entry, one in going.opening.competing.items() if one.told is not None}
        first = next(iter(ranked([one.measurement for one in competing.values()], self.by)), None)
        if first is None or not first.ranked.usable:
            return
        best = competing[Entry.of(first.one)]
        pairs = 2 * max(best.measurement.replicates // PART, GROUPS)
        if best.pace * pairs <= LITTLE * (self.budget.seconds or math.inf):
            best.told = with_batch_share(best.measurement, best.workload)

    @property
    def _place(self) -> dict[str, object]:
        return {"seed": self.seed, "device": self.device, "dtype": self.dtype, "batch": self.batch}

    def _go(self, going: Going, entries: Sequence[Entry]) -> None:
        """As far as the budget allows; what is left at the end may not do more than that."""
        with suppress(TimeUp, NoneLeft), deadline(going.purse.seconds_left):
            going.open(entries)
            going.decide()
