"""The seconds that a measurement may take, and what it says meanwhile."""

import math
import time
from dataclasses import dataclass, field
from typing import final

from experiments.terminal.telling import Tell, untold

__all__ = ["Clock"]


@final
@dataclass
class Clock:
    """A budget in seconds, and whom to tell how many replicates there are. Without both, no clock is read."""

    began: float
    max_seconds: float | None
    tell: Tell = untold
    _marks: list[tuple[float, int]] = field(default_factory=list)
    """When there were how many replicates: at the first look, and after each of the last two blocks."""

    def is_over(self, replicates: int) -> bool:
        """Whether the seconds do not suffice for another block as long as the last; never before the first."""
        if self.max_seconds is None:
            return False
        now = self._mark(replicates)
        return replicates > 0 and now - self.began + self._last_block > self.max_seconds

    def told(self, replicates: int, goal: int) -> None:
        """Say how far it is to a number of replicates."""
        if self.tell is untold:
            return
        now = self._mark(replicates)
        (first, before), taken = self._marks[0], now - self.began
        pace = (now - first) / (replicates - before) if replicates > before else taken / replicates
        left = (goal - replicates) * pace if goal > replicates else 0.0
        within = math.inf if self.max_seconds is None else max(self.max_seconds - taken, 0.0)
        self.tell(f"{replicates:,} replicates", min(left, within))

    def _mark(self, replicates: int) -> float:
        now = time.monotonic()
        if not replicates or not self._marks:
            self._marks = [(now, replicates)]
        elif replicates > self._marks[-1][1]:
            self._marks = [*self._marks[:1], *self._marks[1:][-1:], (now, replicates)]
        return now

    @property
    def _last_block(self) -> float:
        return self._marks[-1][0] - (self._marks[-2][0] if len(self._marks) > 1 else self.began)
