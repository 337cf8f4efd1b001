"""The experiment that trains with an estimator, on several seeds at once."""

import time
from dataclasses import replace
from typing import final

from estimators.interface import Unsupported
from experiments.engine.experiment import Experiment, Measured, Skipped
from experiments.machine.caching import cache_folder
from experiments.sweep import Cell, Train
from experiments.terminal.telling import Tell
from experiments.timing.rounds import Timed
from experiments.training.loop import timed_step, train

__all__ = ["TrainCurves"]


@final
class TrainCurves(Experiment):
    """The curves of a cell; one that was stopped on this machine goes on from its last record."""

    @property
    def settings(self) -> Train:
        assert self.cell.train is not None
        return self.cell.train

    def pilot(self) -> Cell:
        steps = min(self.settings.record, self.settings.steps)
        return replace(self.cell, train=replace(self.settings, steps=steps))

    def seconds_beyond(self, pilot: Measured) -> float:
        return pilot.row["statistics_seconds"] * (self.settings.steps / max(pilot.row["steps"], 1) - 1)

    def statistics(self, tell: Tell) -> Measured | Skipped:
        began, checkpoint = time.monotonic(), cache_folder() / "training" / f"{self.cell.key}.pt"
        problem, estimator, num_samples = self.components
        try:
            trained = train(
                problem, estimator, num_samples, self.settings, checkpoint=checkpoint, tell=tell, **self.place
            )
        except Unsupported as unsupported:
            return Skipped(str(unsupported))
        figures = {
            "claim": estimator.claim(problem, num_samples),
            "evaluations": estimator.evaluations(problem, num_samples),
            "replicates": self.settings.seeds,
            "stop_reason": "steps" if trained.steps == self.settings.steps else "diverged",
            "statistics_seconds": time.monotonic() - began,
        }
        return Measured(trained.row() | figures, {"traces": trained.curves})

    def timed(self, measured: float) -> Timed:
        return timed_step(*self.components, self.settings, **self.place)
