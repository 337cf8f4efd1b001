"""A reference that is measured little by little, while others wait for no more than a first one."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from experiments import statistics
from experiments.gradients.workload import Workload
from experiments.machine.deadline import TimeUp, deadline
from experiments.measuring.find_reference import keep_reference, kept_reference, known_at_once, suffices
from experiments.measuring.long_run import growing
from experiments.measuring.purse import Purse
from experiments.measuring.reference import NO_LIMITS, NoReference, Reference
from experiments.measuring.reference_files import key_of

__all__ = ["GrowingReference"]

NOT_YET = "the budget ended before a reference gradient was measured"


class GrowingReference:
    """The reference of one objective: exact, or kept from before, or as far as a purse measures it.

    One that was kept with as large a purse, or needs none, is used as it is; another one serves until the new one is
    known as well.
    """

    def __init__(self, workload: Workload, purse: Purse):
        workload = workload.on_all_data or workload
        self.workload, self.purse = workload, purse
        self.found: Reference | NoReference = NoReference(NOT_YET, purse.limits)
        self._steps: Iterator[Reference | NoReference] | None = None
        self._measured: Reference | NoReference | None = None
        if (known := known_at_once(workload)) is not None:
            self.found = known
            return
        self.key = key_of(workload)
        if (kept := kept_reference(workload, self.key)) is not None:
            self.found = kept
        if kept is None or not suffices(kept, purse.limits):
            self._steps = growing(workload, purse)
        purse.stop()

    @property
    def growing(self) -> bool:
        """Whether a further step may make a better one."""
        return self._steps is not None

    @property
    def error(self) -> float:
        """The variance of the mean, in all entries together; 0 of an exact one, inf of none."""
        if isinstance(self.found, NoReference):
            return float("inf")
        groups = self.found.groups
        return 0.0 if groups.ndim == 1 else float(groups.var(0, ddof=1).sum()) / len(groups)

    def grow(self) -> None:
        """One step more."""
        assert self._steps is not None
        self.purse.go_on()
        try:
            with deadline(self.purse.seconds_left):
                self._take(next(self._steps))
        except StopIteration:
            self._steps = None
            self.close()
        except TimeUp:
            self.close()
        self.purse.stop()

    def close(self) -> None:
        """Keep what was measured, and end; what ended early was allowed no more than it has spent."""
        early, self._steps = self._steps is not None, None
        if self._measured is None or self.found is not self._measured:
            return
        if early and self.found.allowed != NO_LIMITS:
            seconds, evaluations = self.purse.limits
            spent = min(self.purse.elapsed, seconds), self.purse.spent if math.isfinite(evaluations) else evaluations
            self.found = replace(self.found, allowed=spent)
        with suppress(TimeUp):
            keep_reference(self.workload, self.key, self.found)

    def _take(self, measured: Reference | NoReference) -> None:
        self._measured = measured
        if isinstance(measured, Reference):
            known = statistics.relative_error(measured.groups)
            better = isinstance(self.found, NoReference) or known <= statistics.relative_error(self.found.groups)
        else:
            better = isinstance(self.found, NoReference)
        if better or suffices(measured, (float("inf"), float("inf"))):
            self.found = measured
