"""Measuring gradient estimators: `measure` for one, `rank` for those of a problem, sweeps and their store for many."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.measuring.loop import measure as measure
    from experiments.measuring.measurement import Measurement as Measurement
    from experiments.problems.state_file import started_from as started_from
    from experiments.problems.trained_start import started_after as started_after
    from experiments.ranking.answer import Answer as Answer
    from experiments.ranking.race import race as race
    from experiments.ranking.race_answer import RaceAnswer as RaceAnswer
    from experiments.ranking.rank import rank as rank
    from experiments.store import load as load
    from experiments.training.loop import Trained as Trained
    from experiments.training.loop import train as train
    from experiments.training.settings import Train as Train

HOMES = {
    "Answer": "experiments.ranking.answer",
    "Measurement": "experiments.measuring.measurement",
    "RaceAnswer": "experiments.ranking.race_answer",
    "Train": "experiments.training.settings",
    "Trained": "experiments.training.loop",
    "load": "experiments.store",
    "measure": "experiments.measuring.loop",
    "race": "experiments.ranking.race",
    "rank": "experiments.ranking.rank",
    "started_after": "experiments.problems.trained_start",
    "started_from": "experiments.problems.state_file",
    "train": "experiments.training.loop",
}
__all__ = list(HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import on first use: the command line starts without torch and pandas."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
