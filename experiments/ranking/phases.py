"""A contest that goes on: first looks, the references, and phases in which those that are told apart leave."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from estimators.interface import EXPECTED_COST, Objective
from experiments.gradients.workload import Workload
from experiments.machine.deadline import TimeUp, deadline
from experiments.machine.errors import reason
from experiments.measuring.doubling import next_block
from experiments.measuring.growing_reference import GrowingReference
from experiments.measuring.mean_score import mean_score
from experiments.measuring.purse import Purse
from experiments.measuring.reference import NoReference, Reference
from experiments.ranking.contestant import Contestant
from experiments.ranking.entries import Entry, measured
from experiments.ranking.opening import PRICING, Opening
from experiments.ranking.order import By, undecided
from experiments.ranking.pace import affordable, take_times
from experiments.terminal.numbers import duration, number
from experiments.terminal.progress import Narrator

__all__ = ["Going"]

LOOK, LEARNING, TIMING = 0.35, 0.15, 0.1
"""Shares of the budget: a first look at all estimators, fits, and first times."""
REFERENCE, OTHER_REFERENCES = 0.2, 0.05
"""The share for the gradient of the expected cost, and that for those of all other objectives."""
SCORE, SCORE_AT_MOST = 0.03, 0.1
"""The share for the test of E[score] = 0, and that at which its first 64 gradients are given up."""
AT_FIRST = 0.5
"""The part of a reference's share that is spent before the first look."""
MOST = 0.8
"""The part of what is left that may be spent on a look, if hardly anybody fits into less."""
FIRST_TRY = 0.25
"""The part of an even share that a fit has at first: few take long, and they may share what the others leave."""
TIMING_SHARE = 0.3
"""The share of a phase for times; the rest is for variances."""
PHASES = 10
"""At the end of each, those that are told apart from the best leave."""
PRECISE = 0.02
"""The relative half-width of a ratio to the best at which a tie is a tie."""
SMALL = 0.1
"""The part of an interval's width that the noise of the reference may have."""
QUIET = 0.5
"""The variance of the reference, in those of the mean estimate that is compared with it."""
MEMORY = 2**30
"""Bytes that the moments of all may take together, beside those of the first."""
WORTH = 0.75
"""The part of its next chunk that everybody has to be able to afford for a phase to draw any."""


@dataclass
class Going:
    """What is left of the budget, and everything that is known so far."""

    purse: Purse
    opening: Opening
    progress: Narrator
    by: By = "seconds"
    references: dict[Objective, GrowingReference] = field(default_factory=dict)

    def open(self, entries: Sequence[Entry]) -> None:
        """Who takes part, with a rough measurement and first times; those that learn follow the others."""
        entries = self.opening.in_order(self.opening.fitting(entries, self.purse, LOOK, MOST))
        learners = [entry for entry in entries if entry.estimator.unlearned]
        ready = [entry for entry in entries if entry not in learners]
        readiness = self.opening.readiness
        readiness.warm_up(ready[:1], self.purse.portion(LEARNING))
        looks = self.purse.portion(LOOK)
        looks.stop()
        fit, of_ready = partial(readiness.fitted, first=FIRST_TRY), len(ready) / max(len(entries), 1)
        for group, prepare, part in ((ready, readiness.prepared, of_ready), (learners, fit, 1.0)):
            workloads = prepare(group, self.purse.portion(LEARNING))
            self._refer(workloads)
            self._test_the_score(workloads)
            looks.go_on()
            able = {entry: one for entry, one in workloads.items() if one.objective in self.references}
            entered = self.opening.look(able, looks.share(part), self._tell_one)
            looks.stop()
            self.progress.doing(f"timing{self._so_far}")
            take_times({entry: one for entry, one in self._told.items() if entry in entered}, self._times(), 0)
        if len(self._told) < 2:
            self.opening.look({}, self.purse.share(MOST), self._tell_one)
        self.opening.give_up(self.purse, (1 - PRICING) * LOOK)
        self.progress.doing(f"timing all in turn{self._so_far}")
        take_times(self._told, self._times(), 0)

    def decide(self) -> None:
        """What is left goes to those that may still be the best, in phases."""
        for phase in range(PHASES):
            contenders = self._undecided()
            if len(contenders) < 2 or self.purse.empty:
                break
            self._improve_references(contenders)
            self.progress.doing(f"{len(contenders)} estimators may be the best{self._so_far}")
            share = self.purse.share(1 / (PHASES - phase))
            self._sample(contenders, share)
            take_times({entry: self._field[entry] for entry in contenders if entry in self._told}, share, phase + 1)
        self._tell_again()

    def close(self) -> None:
        """Keep what was measured for others."""
        for reference in self.references.values():
            reference.close()

    def told(self) -> str:
        """What is left of the budget."""
        left = [f"{duration(max(self.purse.seconds_left, 0.0))} left"] if math.isfinite(self.purse.seconds) else []
        if math.isfinite(self.purse.evaluations):
            left.append(f"{number(max(int(self.purse.evaluations_left), 0))} evaluations left")
        return ", ".join(left)

    @property
    def _field(self) -> dict[Entry, Contestant]:
        return self.opening.competing

    @property
    def _told(self) -> dict[Entry, Contestant]:
        """Those of which figures are known."""
        return {entry: one for entry, one in self._field.items() if one.told is not None}

    @property
    def _so_far(self) -> str:
        """Who leads."""
        ranked = [one for one in measured([one.measurement for one in self._told.values()], self.by) if one.usable]
        return f"; so far {min(ranked, key=lambda one: one.rank).name} leads" if ranked else ""

    def _times(self) -> Purse:
        return self.purse.portion(TIMING / 2)

    def _sample(self, contenders: Sequence[Entry], share: Purse) -> None:
        """Equally many more replicates of all contenders, if each can have a good part of its next chunk."""
        field = [self._field[entry] for entry in contenders]
        telling = sum(one.told_in for one in field)
        seconds = max((1 - TIMING_SHARE) * share.seconds_left - telling, 0.0)
        sampling = Purse(seconds, (1 - TIMING_SHARE) * share.evaluations_left, share)
        replicates, least = affordable(field, sampling), min(one.sampling.replicates for one in field)
        if replicates < least + WORTH * next_block(least):
            return
        for entry, one in zip(contenders, field, strict=True):
            self._attempt(entry, partial(one.sample, replicates, sampling))
        self._tell(contenders)

    def _tell(self, entries: Iterable[Entry]) -> None:
        """The figures of some, against the references as they are now."""
        for entry in [entry for entry in entries if entry in self._field and not self._field[entry].shelved]:
            one = self._field[entry]
            self._attempt(entry, lambda one=one: one.tell(self._reference(one.workload), self.purse))
            self._spare_memory()
        self.progress.doing(f"{len(self._told)} estimators measured{self._so_far}" if self._told else "")

    def _spare_memory(self) -> None:
        """Shelve the worst, while the moments of all take too much. With a million parameters few can go on."""
        memory = sum(one.memory for one in self._told.values())
        if memory <= MEMORY:
            return
        ranked = measured([one.measurement for one in self._told.values()], self.by)
        _, *others = sorted(zip(ranked, self._told.values(), strict=True), key=lambda pair: pair[0].rank)
        for _, one in reversed(others):
            if memory > MEMORY and not one.shelved:
                memory -= one.memory
                one.shelve()

    def _tell_one(self, entry: Entry) -> float:
        """Of one; the seconds that it took."""
        before = self.purse.elapsed
        self._tell([entry])
        return self.purse.elapsed - before

    def _tell_again(self) -> None:
        """Everybody's figures against the last references, if the time allows that."""
        if 2 * sum(one.told_in for one in self._told.values()) < self.purse.seconds_left:
            self._tell([entry for entry, one in self._told.items() if one.against is not self._reference(one.workload)])

    def _attempt(self, entry: Entry, action: object) -> None:
        """Do it; who raises leaves the contest."""
        assert callable(action)
        try:
            action()
        except Exception as error:
            self.opening.readiness.failed[entry] = reason(error)
            del self._field[entry]

    def _undecided(self) -> list[Entry]:
        """Who may still be the best; empty: that is decided."""
        entries = list(self._told)
        ranked = measured([one.measurement for one in self._told.values()], self.by)
        numbered = [replace(one, estimator=f"{one.estimator}:{place}") for place, one in enumerate(ranked)]
        found = [entries[int(name.rpartition(":")[2])] for name in undecided(numbered, PRECISE)]
        return [entry for entry in found if not self._told[entry].shelved]

    def _reference(self, workload: Workload) -> Reference | NoReference:
        return self.references[workload.objective].found

    def _refer(self, workloads: dict[Entry, Workload]) -> None:
        """The references of their objectives, measured for the first part of their shares."""
        targets = {workload.objective: workload for workload in workloads.values()}
        new = {target: workload for target, workload in targets.items() if target not in self.references}
        others = sum(target != EXPECTED_COST for target in new)
        for target, workload in new.items():
            part = REFERENCE if target == EXPECTED_COST else OTHER_REFERENCES / others
            self.progress.doing("measuring the reference gradient")
            try:
                found = GrowingReference(workload, self.purse.portion(part))
                while found.growing and found.purse.part_spent < AT_FIRST:
                    found.grow()
            except Exception as error:
                self.opening.readiness.failed |= {
                    entry: reason(error) for entry, one in workloads.items() if one.objective == target
                }
            else:
                self.references[target] = found

    def _test_the_score(self, workloads: dict[Entry, Workload]) -> None:
        """E[score] = 0, once for all that need it, and not from more than its share."""
        scores = (one for one in workloads.values() if one.estimator.traits.rests_on_score)
        if (one := next(scores, None)) is not None:
            self.progress.doing("testing the score of q")
            with suppress(Exception, TimeUp), deadline(self.purse.portion(SCORE_AT_MOST).seconds_left):
                mean_score(one, self.purse.portion(SCORE))  # what it raises will show where it is asked for

    def _improve_references(self, contenders: Sequence[Entry]) -> None:
        """Further steps, while the noise of a reference is not small against the intervals of contenders."""
        for entry in contenders:
            one = self._field[entry]
            found = self.references[one.workload.objective]
            while found.growing and not _small(found, one):
                self.progress.doing(f"measuring the reference gradient{self._so_far}")
                found.grow()


def _small(reference: GrowingReference, one: Contestant) -> bool:
    """Whether the reference hardly widens the interval of a contestant's error, or the test of its bias."""
    found = one.measurement
    if found.mse is None:
        return False
    width, noise = (found.mse.high - found.mse.low) / 2, found.total_variance.value / found.replicates
    return reference.error <= min(SMALL * width, QUIET * noise)
