"""What may still be spent, in seconds and in evaluations of the cost, and shares of it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

__all__ = ["Purse"]


@final
@dataclass
class Purse:
    """Seconds and evaluations that are left; math.inf: they are not counted.

    The clock runs from the moment that the purse is opened, whoever uses the time. Evaluations are paid by `pay`, from
    a share also out of the purse that the share was taken from.
    """

    seconds: float = math.inf
    evaluations: float = math.inf
    whole: "Purse | None" = None
    """What this is a share of."""
    spent: float = 0.0
    """Evaluations."""
    began: float = field(default_factory=lambda: time.monotonic())
    stopped: float | None = None
    """When the clock was stopped."""
    counted: Callable[[], float] = lambda: 0.0
    """The evaluations that were made meanwhile, whoever paid for them, where somebody counts."""

    @property
    def limits(self) -> tuple[float, float]:
        """Seconds and evaluations that were in it."""
        return self.seconds, self.evaluations

    @property
    def elapsed(self) -> float:
        return (time.monotonic() if self.stopped is None else self.stopped) - self.began

    @property
    def seconds_left(self) -> float:
        own = self.seconds - self.elapsed
        return own if self.whole is None else min(own, self.whole.seconds_left)

    @property
    def evaluations_left(self) -> float:
        own = self.evaluations - self.used
        return own if self.whole is None else min(own, self.whole.evaluations_left)

    @property
    def used(self) -> float:
        """Evaluations that were paid, or made by those who did not say so."""
        return max(self.spent, self.counted())

    @property
    def empty(self) -> bool:
        return self.seconds_left <= 0 or self.evaluations_left <= 0

    def allows(self, seconds: float, evaluations: float) -> bool:
        """Whether so much can still be spent."""
        return seconds <= self.seconds_left and evaluations <= self.evaluations_left

    def share(self, part: float) -> "Purse":
        """A part of what is left now, as a purse whose clock starts now."""
        return Purse(max(part * self.seconds_left, 0.0), max(part * self.evaluations_left, 0.0), self)

    def portion(self, part: float) -> "Purse":
        """A part of all that was in it, as far as it is left, as a purse whose clock starts now."""
        return Purse(part * self.seconds, part * self.evaluations, self)

    @property
    def part_spent(self) -> float:
        """Of what was in it, the part that is gone."""
        seconds = self.elapsed / self.seconds if self.seconds else 1.0
        return max(seconds, self.used / self.evaluations if self.evaluations else 1.0)

    def pay(self, evaluations: float) -> None:
        self.spent += evaluations
        if self.whole is not None:
            self.whole.pay(evaluations)

    def stop(self) -> None:
        """Stop the clock of this share, while its whole goes on."""
        if self.stopped is None:
            self.stopped = time.monotonic()

    def go_on(self) -> None:
        if self.stopped is not None:
            self.began += time.monotonic() - self.stopped
            self.stopped = None
