"""What a race of training runs has found: who reached which objective, and who is told apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.statistics import Interval, sample_mean

__all__ = ["Race", "Raced"]


@dataclass(frozen=True)
class Raced:
    """The training runs of an estimator, one a seed."""

    estimator: str
    num_samples: int
    entry: int
    """Its place among the racers by error × time at the start, from 0; the biased come after the others."""
    biased: bool
    """By its own claim, or as it was found."""
    learns: bool
    """It learns from each step."""
    learning_rate: float
    """The one of the grid that served it best in a pilot."""
    step_seconds: float
    """Seconds of one step of one model."""
    steps: int
    curve: np.ndarray
    """Objectives, `[records, seeds]`; NaN from where a seed has diverged."""

    @property
    def seeds(self) -> int:
        return self.curve.shape[1]

    @property
    def diverged(self) -> int:
        """Seeds whose objective ran away."""
        return int(np.isnan(self.curve[-1]).sum())

    @property
    def objective(self) -> Interval:
        """The last mean over the seeds, with its 95 % interval of Student's t; NaN where one of them diverged."""
        return sample_mean(self.curve[-1])

    def over(self, best: "Raced") -> Interval:
        """By how much its last objective is above that of another: the noise of a seed, met by both, cancels."""
        return sample_mean(self.curve[-1] - best.curve[-1])


@dataclass(frozen=True)
class Race:
    """The runs of all racers over the same seconds, best first; those with a diverged seed last."""

    problem: str
    seconds: float
    """Seconds of training of one model, the same for all racers."""
    clock: np.ndarray
    """When the objectives were recorded, in the same seconds, `[records]`."""
    batch: int
    """Data points of a step; 0: all, or there are none."""
    raced: Sequence[Raced]
    left_out: Mapping[str, str]
    """Who did not race, or not to the end, and why."""
    interrupted: bool = False
    """Ctrl-C ended it at its last record."""

    @classmethod
    def of_nobody(cls, problem: str, left_out: Mapping[str, str] | None = None) -> "Race":
        """One that was not run."""
        return cls(problem, 0.0, np.zeros(0), 0, [], left_out or {})

    @cached_property
    def finished(self) -> list[Raced]:
        return [one for one in self.raced if not one.diverged]

    def is_tied(self, one: Raced) -> bool:
        """Whether it is not told apart from the best: the interval of the paired difference does not exclude zero."""
        best = self.raced[0]
        return one is best or not (one.diverged or one.over(best).low > 0)

    @property
    def tied(self) -> list[Raced]:
        """The best and those that are not told apart from it."""
        return [one for one in self.finished if self.is_tied(one)]
