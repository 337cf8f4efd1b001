"""`race`: which estimator trains a model best, found out by training it."""

import time
from collections.abc import Sequence

import torch

from estimators.interface import Estimator, Problem
from experiments.ranking.race_answer import RaceAnswer
from experiments.ranking.raced import Race
from experiments.ranking.racing import run_race
from experiments.ranking.rank import SECONDS, one_thread, rank
from experiments.terminal.progress import narrator

__all__ = ["race"]

RANKING = 1 / 3
"""The share of the budget that chooses who races."""


def race(
    problem: Problem,
    num_samples: int | Sequence[int] = 10,
    *,
    estimators: Sequence[Estimator | str] | None = None,
    seconds: float = SECONDS,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    seed: int = 0,
    fresh: bool = False,
) -> RaceAnswer:
    """What training gains: the best few of a `rank`, biased ones included, train the problem for the same seconds.

    A third of the seconds goes into the ranking, the rest into the race (`run_race` says how it is run). Printed, the
    answer is what `gradmark rank --by training` prints. Arguments are those of `rank`, and so are the errors.

    Ctrl-C ends it early: the answer is what was known by then.
    """
    began = time.monotonic()
    place = {"device": device, "dtype": dtype, "seed": seed, "fresh": fresh}
    ranking = rank(problem, num_samples, estimators=estimators, seconds=RANKING * seconds, **place)
    nobody = Race.of_nobody(problem.spec)
    if ranking.interrupted or ranking.useless:
        return RaceAnswer(nobody, ranking, interrupted=ranking.interrupted)
    own = {one.spec: one for one in estimators or () if isinstance(one, Estimator)}
    try:
        with one_thread(), narrator() as progress:
            left = began + seconds - time.monotonic()
            found = run_race(problem, ranking.found, max(left, 0.0), progress, own)
    except KeyboardInterrupt:
        return RaceAnswer(nobody, ranking, interrupted=True)
    return RaceAnswer(found, ranking, interrupted=found.interrupted)
