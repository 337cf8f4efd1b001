"""Training runs in turn: each a lap, by its own clock."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from experiments.machine.errors import reason
from experiments.ranking.racers import Racer
from experiments.training.objective import Evaluation
from experiments.training.optimisation import Optimisation

__all__ = ["Run", "laps"]

LAPS = 20
"""Turns of each run, at the least; where a step takes long, of one step each."""


@dataclass
class Run:
    """A racer under way."""

    racer: Racer
    learning_rate: float
    optimisation: Optimisation
    objectives: list[Tensor] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    """Steps that were made before each objective."""

    def drive(self, clock: float) -> None:
        """Make the steps that are done by then."""
        while (self.optimisation.step + 1) * self.racer.step_seconds <= clock * (1 + 1e-9):
            self.optimisation.advance()

    def record(self, evaluate: Evaluation) -> None:
        self.objectives.append(evaluate({name: value.detach() for name, value in self.optimisation.params.items()}))
        self.steps.append(self.optimisation.step)


def laps(runs: list[Run], seconds: float, left_out: dict[str, str]) -> Iterator[float]:
    """Let all train for laps of the same length, in turn, and give their clock after each, while there is time.

    Whoever raises an error leaves `runs`.
    """
    deadline, clock, took = time.monotonic() + seconds, 0.0, 0.0
    if not runs:
        return
    seeds = sum(run.optimisation.settings.seeds for run in runs)
    lap = max(seconds / (LAPS * seeds), *(run.racer.step_seconds for run in runs))
    while runs and (not clock or time.monotonic() + took <= deadline):
        began, clock = time.monotonic(), clock + lap
        for run in list(runs):
            try:
                run.drive(clock)
            except Exception as error:
                left_out[run.racer.label] = reason(error)
                runs.remove(run)
        took = time.monotonic() - began
        yield clock
