"""Training: what an estimator does to the objective of a problem, step by step, all seeds at once."""

import math
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from estimators.interface import Estimator, Params, Problem
from experiments.gradients.prepare import prepare_unlearned
from experiments.machine.checkpoints import read_checkpoint, write_checkpoint
from experiments.statistics import Interval, sample_mean
from experiments.terminal.telling import Tell, untold
from experiments.timing.rounds import Timed
from experiments.training.optimisation import Optimisation
from experiments.training.settings import Train

__all__ = ["Trained", "timed_step", "train"]


@dataclass(frozen=True)
class Trained:
    """The curves of a training run."""

    curves: list[dict[str, Any]]
    """One row per recorded step and seed: quantity, step, replicate, value. A seed that diverged has none after
    that."""
    steps: int
    """Steps that were made: fewer than wanted where all seeds diverged."""
    diverged: int
    """Seeds whose objective ran away."""
    params: Params
    """The last parameters, one replicate a seed."""

    @property
    def objective(self) -> Interval:
        """The last mean over the seeds, with its 95 % interval of Student's t; NaN where one of them diverged."""
        last = [row["value"] for row in self.curves if row["quantity"] == "objective" and row["step"] == self.steps]
        return sample_mean(np.array([math.nan] if self.diverged else last))

    def row(self) -> dict[str, Any]:
        """The columns of the training in the store's `cells` table."""
        columns = {"steps": self.steps, "diverged": self.diverged}
        return columns | Interval.entries("objective", self.objective)


def train(
    problem: Problem,
    estimator: Estimator,
    num_samples: int = 1,
    settings: Train | None = None,
    *,
    checkpoint: Path | None = None,
    tell: Tell = untold,
    **place: Any,
) -> Trained:
    """Optimise from the initial parameters of a problem, once for each seed. Same seed, same machine, same curves.

    Every `record` steps the curves get what `Problem.evaluate` says, and `gradient_variance`, the total variance of the
    estimate at that point (given the mini-batch). With a `checkpoint` a run that was killed goes on from its last
    record, and ends as it would have. `tell` is told after each record how many steps there are. `place`: seed, device
    and dtype, as for `measure`.

    Raises `Unsupported` with the estimator's reason, or where there is no data for mini-batches; ValueError where the
    checkpoint is of another run; else as `measure`.
    """
    settings = settings or Train()
    run = Optimisation(prepare_unlearned(problem, estimator, num_samples, **place), settings)
    saved = None if checkpoint is None else _saved(checkpoint, run.identity)
    if saved is None:
        curves = run.record()
    else:
        curves = saved["curves"]
        run.restore(saved["state"])
    began, first = time.monotonic(), run.step
    tell(f"{run.step:,} of {settings.steps:,} steps", math.inf)
    while run.step < settings.steps and run.alive.any():
        for _ in range(min(settings.record, settings.steps - run.step)):
            run.advance()
        curves += run.record()
        pace = (time.monotonic() - began) / (run.step - first)
        tell(f"{run.step:,} of {settings.steps:,} steps", pace * (settings.steps - run.step))
        if checkpoint is not None:
            write_checkpoint(checkpoint, {"run": run.identity, "curves": curves, "state": run.state()})
    if checkpoint is not None:
        with suppress(OSError):
            checkpoint.unlink()
    params = {name: value.detach() for name, value in run.params.items()}
    return Trained(curves, run.step, int((~run.alive).sum()), params)


def _saved(checkpoint: Path, identity: str) -> dict[str, Any] | None:
    """What a run has written; None where there is nothing that a run has written. ValueError: it is another run's."""
    found = read_checkpoint(checkpoint)
    if not isinstance(found, dict) or not {"run", "curves", "state"} <= found.keys():
        return None
    if found["run"] != identity:
        raise ValueError(f"{checkpoint} is of another run, {found['run']}: remove it, or name another file")
    return found


def timed_step(problem: Problem, estimator: Estimator, num_samples: int, settings: Train, **place: Any) -> Timed:
    """A training step of one seed, to be timed: mini-batch, noise, gradient, optimiser, what the estimator learns."""
    workload = prepare_unlearned(problem, estimator, num_samples, **place)
    return Timed.step(workload, Optimisation(workload, replace(settings, seeds=1)).advance)
