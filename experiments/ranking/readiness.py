"""Workloads that are ready to be measured, and what their gradients cost, each within a share of a budget."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from estimators.interface import Problem, Unsupported
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.machine.errors import reason
from experiments.measuring.purse import Purse
from experiments.ranking.bounded import OutOfBudget, bounded
from experiments.ranking.entries import Entry
from experiments.terminal.numbers import duration, number, seconds
from experiments.timing.price import MOST_GRADIENTS, Price

__all__ = ["Readiness", "amount"]

BEYOND = 2.0
"""Shares that it may take to find out a price: a price that is only guessed keeps out who would fit."""

FOREMOST = 0.3
"""The part of what is left that each may take: where all are dear, the first few are ready, and not nobody."""
LITTLE = 0.1
"""Seconds in which nobody can be ready."""
NO_TIME = "others that learn took the share of the budget for that"


@dataclass
class Readiness:
    """Those that are ready, and why others are not."""

    problem: Problem
    place: Mapping[str, Any]
    """The seed, device and dtype of workloads."""
    tell: Callable[[str], None]
    """Takes what is done."""
    failed: dict[Entry, str] = field(default_factory=dict)
    left_out: dict[Entry, str] = field(default_factory=dict)

    def warm_up(self, entries: Sequence[Entry], purse: Purse) -> None:
        """What has to be done once for all: the problem is checked, and its footprint measured."""
        for entry in entries:
            self._prepare(entry, purse, {})

    def prepared(self, entries: Sequence[Entry], purse: Purse) -> dict[Entry, Workload]:
        """Their workloads, of those that are ready in time; the first may take most of it."""
        return self._ready(purse, _shared(entries, purse))

    def fitted(self, entries: Sequence[Entry], purse: Purse, first: float) -> dict[Entry, Workload]:
        """The same of those that learn.

        Each has `first` of an even share; those that take longer then have what is left, the foremost most of it.
        """
        part = first / max(len(entries), 1)
        return self._ready(purse, ((entry, purse.portion(part)) for entry in entries))

    def _ready(self, purse: Purse, shares: Iterator[tuple[Entry, Purse]]) -> dict[Entry, Workload]:
        found: dict[Entry, Workload] = {}
        slow = {entry: own.limits for entry, own in shares if not self._prepare(entry, own, found)}
        for entry, own in _shared(list(slow), purse):
            if not self._prepare(entry, own, found):
                longest = max(own.limits, slow[entry])
                takes = f"it takes more than {amount(*longest)} to be ready, its share of the budget"
                self.left_out[entry] = takes if longest[0] > LITTLE else NO_TIME
        return found

    def priced(self, workloads: Mapping[Entry, Workload], purse: Purse) -> dict[Entry, Price]:
        """What their gradients cost, as far as a share of each allows to find out."""
        found: dict[Entry, Price] = {}
        for entry, own in _shared(list(workloads), purse):
            self.tell(f"how long {entry.spec} takes")
            try:
                with bounded(self.problem, Purse(BEYOND * own.seconds_left)):
                    found[entry] = _price(workloads[entry], own)
                own.pay(found[entry].spent)
            except Unsupported as why:
                self.left_out[entry] = str(why)
            except OutOfBudget:
                limit = amount(own.seconds, math.inf)
                self.left_out[entry] = f"one gradient takes more than {limit}, its share of the budget"
            except Exception as error:
                self.failed[entry] = reason(error)
        return found

    def _prepare(self, entry: Entry, own: Purse, found: dict[Entry, Workload]) -> bool:
        """False: it takes longer than its share."""
        self.tell(f"preparing {entry.spec}")
        try:
            with bounded(self.problem, own):
                found[entry] = prepare(self.problem, entry.estimator, entry.num_samples, **self.place)
        except OutOfBudget:
            return False
        except Unsupported as why:  # on mini-batches: on all data it is known to support the problem
            self.left_out[entry] = str(why)
        except Exception as error:
            self.failed[entry] = reason(error)
        return True


def _shared(entries: Sequence[Entry], purse: Purse) -> Iterator[tuple[Entry, Purse]]:
    """Each with an even share of what those before it have left, or `FOREMOST` of that if it is more."""
    for count, entry in zip(range(len(entries), 0, -1), entries, strict=True):
        yield entry, purse.share(max(1 / count, FOREMOST))


def _price(workload: Workload, own: Purse) -> Price:
    evaluations = workload.estimator.evaluations(workload.problem, workload.num_samples)
    if not own.allows(0.0, evaluations):
        return Price((), 0.0, evaluations)
    able = own.allows(0.0, MOST_GRADIENTS * evaluations)
    return Price.of(workload, BEYOND * own.seconds_left if able else 0.0)


def amount(of_seconds: float, evaluations: float) -> str:
    """Seconds, evaluations or both, as far as they are limited."""
    shown = []
    if math.isfinite(of_seconds):
        shown.append(duration(of_seconds) if of_seconds >= 10 else seconds(max(of_seconds, 1e-3)))
    if math.isfinite(evaluations):
        shown.append(f"{number(int(evaluations))} evaluations")
    return " or ".join(shown)
