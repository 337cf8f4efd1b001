"""The first look at all estimators: who takes part, and who is too dear."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from estimators.interface import EXPECTED_COST, Problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.machine.errors import reason
from experiments.measuring.purse import Purse
from experiments.ranking.bounded import OutOfBudget, bounded
from experiments.ranking.contestant import Contestant
from experiments.ranking.entries import Entry
from experiments.statistics import GROUPS
from experiments.terminal.numbers import duration, number
from experiments.timing.price import MOST_GRADIENTS, Price

__all__ = ["Opening"]

ROUNDING_UP = 1.2
"""A budget that is recommended is larger by that than what was found out."""


@dataclass
class Opening:
    """Those that are in, and why others are not."""

    problem: Problem
    place: Mapping[str, Any]
    """The seed, device and dtype of workloads."""
    tell: Callable[[str], None]
    """Takes what is done."""
    competing: dict[Entry, Contestant] = field(default_factory=dict)
    failed: dict[Entry, str] = field(default_factory=dict)
    left_out: dict[Entry, str] = field(default_factory=dict)
    waiting: dict[Entry, tuple[Workload, Price]] = field(default_factory=dict)
    """Those that did not fit into an even share, and may into what others leave."""

    def prepared(self, entries: Sequence[Entry], purse: Purse, first: float = 1.0) -> dict[Entry, Workload]:
        """Their workloads, of those that are ready in time: the cheap ones first, those that claim a bias last.

        Each has `first` of an even share; those that take longer then share what is left.
        """
        found: dict[Entry, Workload] = {}
        slow: list[Entry] = []
        for count, entry in zip(range(len(entries), 0, -1), entries, strict=True):
            self._prepare(entry, purse.share(first / count if count > 1 else 1.0), found, slow.append)
        for count, entry in zip(range(len(slow), 0, -1), list(slow), strict=True):
            own = purse.share(1 / count)
            self._prepare(entry, own, found, lambda entry, own=own: self._too_slow_to_learn(entry, own))
        return dict(sorted(found.items(), key=lambda pair: _order(*pair)))

    def look(self, workloads: dict[Entry, Workload], purse: Purse) -> list[Entry]:
        """A first look at each within its share; whoever is too dear for that waits. Those that are in now."""
        entered = []
        for count, (entry, workload) in zip(range(len(workloads), 0, -1), workloads.items(), strict=True):
            own = purse.share(1 / count)
            self.tell(f"a first look at {entry.spec}")
            if (price := self._price(entry, workload, own)) is None:
                continue
            if not own.allows(price.seconds(GROUPS), GROUPS * price.evaluations):
                self.waiting[entry] = workload, price
            elif self._enter(entry, workload, price, own):
                entered.append(entry)
        return entered

    def look_at_the_dear(self, purse: Purse, whole: Purse) -> list[Entry]:
        """Those that wait come in as far as a purse allows 64 gradients of each, the cheapest first."""
        entered, even = [], purse.share(1 / max(len(self.waiting), 1))
        for entry, (workload, price) in sorted(self.waiting.items(), key=lambda pair: _order(pair[0], *pair[1])):
            self.tell(f"a first look at {entry.spec}")
            if price.rough and purse.allows(4 * MOST_GRADIENTS * price.one, 4 * MOST_GRADIENTS * price.evaluations):
                price = self._price(entry, workload, purse) or price
            if purse.allows(price.seconds(GROUPS), GROUPS * price.evaluations):
                if self._enter(entry, workload, price, purse, GROUPS):
                    entered.append(entry)
            elif entry not in self.failed:
                self.left_out[entry] = _too_dear(price, even, whole)
        self.waiting.clear()
        return entered

    def _prepare(self, entry: Entry, own: Purse, found: dict[Entry, Workload], late: Callable[[Entry], object]) -> None:
        self.tell(f"preparing {entry.spec}")
        try:
            with bounded(self.problem, own):
                found[entry] = prepare(self.problem, entry.estimator, entry.num_samples, **self.place)
        except OutOfBudget:
            late(entry)
        except Exception as error:
            self.failed[entry] = reason(error)

    def _too_slow_to_learn(self, entry: Entry, own: Purse) -> None:
        limit = _amount(*own.limits)
        self.left_out[entry] = (
            f"it takes more than {limit} to learn, which is its share: a larger budget would include it"
        )

    def _price(self, entry: Entry, workload: Workload, own: Purse) -> Price | None:
        """What it costs; None: it failed, or one gradient takes more than there is."""
        evaluations = workload.estimator.evaluations(workload.problem, workload.num_samples)
        if evaluations > own.evaluations_left:
            self.waiting.setdefault(entry, (workload, Price((0.0,), 0.0, evaluations)))
            return None
        try:
            with bounded(self.problem, Purse(own.seconds_left)):
                price = Price.of(workload, min(own.seconds_left / 4, _gradients(own, evaluations)))
        except OutOfBudget:
            more = _amount(own.seconds, math.inf)
            self.left_out[entry] = f"one gradient takes more than {more}, its share of the budget"
            return None
        except Exception as error:
            self.failed[entry] = reason(error)
            return None
        own.pay(price.spent)
        return price

    def _enter(self, entry: Entry, workload: Workload, price: Price, own: Purse, only: int | None = None) -> bool:
        """Let it measure; with `only` no more than so many replicates."""
        one = Contestant.of(workload, price)
        try:
            with bounded(self.problem, Purse(own.whole.seconds_left if own.whole else own.seconds_left)):
                one.sample(only, own) if only else one.look(own)
        except OutOfBudget:
            pass
        except Exception as error:
            self.failed[entry] = reason(error)
            return False
        if one.sampling.groups is None:
            self.left_out[entry] = "the budget ended before it had 64 gradients"
            return False
        self.competing[entry] = one
        return True


def _gradients(own: Purse, evaluations: int) -> float:
    """Seconds as good as none where finding out the price would take more than a quarter of the evaluations."""
    return math.inf if own.allows(0.0, 4 * MOST_GRADIENTS * evaluations) else 0.0


def _order(entry: Entry, workload: Workload, price: Price | None = None) -> tuple[bool, bool, float]:
    """The cheap first; those that claim a bias, or estimate another gradient, last."""
    claim = workload.estimator.claim(workload.problem, entry.num_samples)
    evaluations = workload.estimator.evaluations(workload.problem, entry.num_samples)
    dear = evaluations if price is None else max(price.seconds(GROUPS), 1e-9 * evaluations)
    return workload.objective != EXPECTED_COST, claim == "biased", dear


def _too_dear(price: Price, even: Purse, whole: Purse) -> str:
    """What it would take, in a sentence."""
    seconds, evaluations = price.seconds(GROUPS), GROUPS * price.evaluations
    if evaluations > even.evaluations:
        factor, option, unit = evaluations / max(even.evaluations, 1.0), "evaluations", whole.evaluations
        share = number(int(even.evaluations))
        text = f"64 gradients take {number(evaluations)} evaluations, more than its share of {share}"
    else:
        factor, option, unit = seconds / max(even.seconds, 1e-9), "seconds", whole.seconds
        text = f"64 gradients take about {duration(seconds)}, more than its share of {duration(even.seconds)}"
    return f"{text}; --{option} {_rounded_up(ROUNDING_UP * factor * unit)} would include it"


def _rounded_up(value: float) -> int:
    """With two significant digits."""
    unit = 10 ** max(math.floor(math.log10(max(value, 1.0))) - 1, 0)
    return math.ceil(value / unit) * unit


def _amount(seconds: float, evaluations: float) -> str:
    shown = [duration(seconds)] if math.isfinite(seconds) else []
    return " or ".join([*shown, *([f"{number(int(evaluations))} evaluations"] if math.isfinite(evaluations) else [])])
