"""The first look at all estimators: who takes part, and who is too dear."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from estimators.interface import EXPECTED_COST
from experiments.gradients.workload import Workload
from experiments.machine.errors import reason
from experiments.measuring.purse import Purse
from experiments.ranking.bounded import OutOfBudget, bounded
from experiments.ranking.contestant import Contestant
from experiments.ranking.entries import Entry
from experiments.ranking.readiness import Readiness, amount
from experiments.statistics import GROUPS
from experiments.terminal.numbers import number
from experiments.timing.price import Price

__all__ = ["PRICING", "Opening"]

PRICING = 0.3
"""The part of a first look that may be spent to find out what gradients cost."""
BESIDES = GROUPS + 32
"""Gradients of a first look with those of checks, prices and first times."""
MARGIN = 1.2
"""What 64 gradients may take beyond their price."""


@dataclass(frozen=True)
class Candidate:
    """A workload with its price."""

    workload: Workload
    price: Price

    @property
    def seconds(self) -> float:
        return MARGIN * self.price.seconds(GROUPS)

    @property
    def evaluations(self) -> float:
        return GROUPS * self.price.evaluations

    @property
    def order(self) -> tuple[bool, bool, bool, float, float]:
        """Those that also measure references first, those that claim a bias or are of another objective last."""
        estimator, problem, num_samples = self.workload.estimator, self.workload.problem, self.workload.num_samples
        biased = estimator.claim(problem, num_samples) == "biased"
        usual = estimator.spec in EXPECTED_COST.measured_by
        return self.workload.objective != EXPECTED_COST, biased, not usual, self.seconds, self.evaluations


@dataclass
class Opening:
    """Those that are in, and those that did not fit so far."""

    readiness: Readiness
    competing: dict[Entry, Contestant] = field(default_factory=dict)
    waiting: dict[Entry, Candidate] = field(default_factory=dict)

    def fitting(self, entries: Sequence[Entry], purse: Purse, share: float, most: float) -> list[Entry]:
        """Those whose 64 gradients fit into a share of the evaluations; of the others it is said what it would take.

        A larger share is for the first two alone. Nobody is prepared in vain: the checks evaluate the cost, too.
        """
        if not math.isfinite(purse.evaluations):
            return list(entries)
        found, evaluations = [], 0.0
        for entry in self.in_order(entries):
            own = BESIDES * self._evaluations(entry)
            evaluations += own
            if evaluations <= (share if len(found) > 1 else most) * purse.evaluations_left:
                found.append(entry)
                continue
            self.readiness.left_out[entry] = (
                f"64 gradients take {number(GROUPS * self._evaluations(entry))} evaluations of the cost, more than its "
                f"share; {number(_rounded_up(evaluations / share))} evaluations would include it"
            )
        return found

    def in_order(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that also measure references first, those that claim a bias last, the cheaper before the dearer."""

        def place(entry: Entry) -> tuple[bool, bool, int]:
            biased = entry.estimator.claim(self.readiness.problem, entry.num_samples) == "biased"
            return biased, entry.spec not in EXPECTED_COST.measured_by, self._evaluations(entry)

        return sorted(entries, key=place)

    def _evaluations(self, entry: Entry) -> int:
        return entry.estimator.evaluations(self.readiness.problem, entry.num_samples)

    def look(
        self, workloads: Mapping[Entry, Workload], purse: Purse, tell: Callable[[Entry], float] = lambda entry: 0.0
    ) -> list[Entry]:
        """A first look at as many as a purse allows 64 gradients each; those that are in now.

        Everybody has an even share of what is left when those that follow have had their 64 gradients. Those for which
        that is not enough wait. `tell` works out the figures of one that has been looked at, in so many seconds.
        """
        prices = self.readiness.priced(workloads, purse.share(PRICING))
        self.waiting |= {entry: Candidate(workloads[entry], price) for entry, price in prices.items()}
        admitted, entered, telling = self._admitted(purse), [], 0.0
        for place, entry in enumerate(admitted):
            one, following = self.waiting[entry], [self.waiting[other] for other in admitted[place + 1 :]]
            if entered and not purse.allows(one.seconds + telling, one.evaluations):
                continue
            count = len(following) + 1
            seconds = purse.seconds_left - sum(other.seconds for other in following) - count * telling
            evaluations = purse.evaluations_left - sum(other.evaluations for other in following)
            own = Purse(max(seconds / count, one.seconds), max(evaluations / count, one.evaluations), purse)
            self.readiness.tell(f"a first look at {entry.spec}")
            del self.waiting[entry]
            if self._enter(entry, one, own):
                telling = tell(entry)
                entered.append(entry)
        return entered

    def give_up(self, whole: Purse, share: float) -> None:
        """Say of those that still wait what it would take to include them."""
        seconds = evaluations = 0.0
        for one in self.competing.values():
            seconds += MARGIN * one.price.seconds(GROUPS)
            evaluations += GROUPS * one.evaluations
        for entry in sorted(self.waiting, key=lambda entry: self.waiting[entry].order):
            one = self.waiting[entry]
            seconds, evaluations = seconds + one.seconds, evaluations + one.evaluations
            self.readiness.left_out[entry] = _too_dear(one, whole, seconds / share, evaluations / share)
        self.waiting.clear()

    def _admitted(self, purse: Purse) -> list[Entry]:
        """Those that wait, in order, as far as they fit together."""
        found, seconds, evaluations = [], 0.0, 0.0
        for entry in sorted(self.waiting, key=lambda entry: self.waiting[entry].order):
            one = self.waiting[entry]
            if one.price.calls and purse.allows(seconds + one.seconds, evaluations + one.evaluations):
                seconds, evaluations = seconds + one.seconds, evaluations + one.evaluations
                found.append(entry)
        return found

    def _enter(self, entry: Entry, candidate: Candidate, own: Purse) -> bool:
        one = Contestant.of(candidate.workload, candidate.price)
        whole = own.whole or own
        try:
            with bounded(self.readiness.problem, Purse(whole.seconds_left)):
                one.look(own)
        except OutOfBudget:
            pass
        except Exception as error:
            self.readiness.failed[entry] = reason(error)
            return False
        if one.sampling.groups is None:
            self.readiness.left_out[entry] = "the budget ended before it had 64 gradients"
            return False
        self.competing[entry] = one
        return True


def _too_dear(one: Candidate, whole: Purse, seconds: float, evaluations: float) -> str:
    """What it would take, in a sentence; the numbers are those of a budget that would have been enough."""
    takes = amount(one.price.seconds(GROUPS), one.evaluations if math.isfinite(whole.evaluations) else math.inf)
    takes = takes.replace(" or ", " and ") if one.price.calls else amount(math.inf, one.evaluations)
    if math.isfinite(whole.evaluations) and not (math.isfinite(whole.seconds) and seconds > whole.seconds):
        wanted = f"{number(_rounded_up(evaluations))} evaluations"
    else:
        wanted = f"{number(_rounded_up(seconds if seconds > whole.seconds else 1.5 * whole.seconds))} seconds"
    return f"64 gradients take about {takes}, more than its share; {wanted} would include it"


def _rounded_up(value: float) -> int:
    """With two significant digits."""
    unit = 10 ** max(math.floor(math.log10(max(value, 1.0))) - 1, 0)
    return math.ceil(value / unit) * unit
