"""The mean of the score, which is zero where score functions are right: $E[\\nabla \\log q(x)] = 0$.

It is not where the support or a jump of the density moves with the parameters, or samples do not follow the density.
"""

import math
import time
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Params, Problem
from estimators.score_function import ScoreFunction
from experiments import statistics
from experiments.gradients.fingerprint import fingerprint
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.edges import lost_samples
from experiments.measuring.purse import Purse
from experiments.statistics import GROUPS

__all__ = ["LEVEL", "WRONG_SCORE", "mean_score", "wrong_score"]

LEVEL = 1e-6
"""The p-value below which a mean score is not zero: it is found in every process, and a false alarm costs a lot."""
WRONG_SCORE = (
    "the score of q does not have mean zero: its support, or a jump of its density, moves with the parameters, or the "
    "samples do not follow the density; what rests on it is biased here"
)
ELEMENTS = 2**22
"""Element-samples (replicates × samples × event size) that the test takes, if that makes enough replicates."""
ENTRIES = 2**25
"""Entries of gradients that it takes, with the same exception."""
SUMS = 2**12
"""Of a score of more entries, so many sums of entries with random signs are tested: their means are zero too."""
FEWEST, MOST, STEP = 10 * GROUPS, 64 * GROUPS, 4 * GROUPS
MOST_SAMPLES = 64
FEW_SAMPLES = 16
"""Those of a program that is called for one at a time: a second for the first 64 replicates."""
LONGEST = 60.0
"""Seconds of the test where nobody says what it may take: only scores that are slow come to that."""
MORE = 2.0
"""The factor of seconds that make a test worth to be done again, if seconds ended it."""


class Evidence(NamedTuple):
    """What the test has found, and the seconds that it was allowed; infinite where it came to its end."""

    p_value: float
    seconds: float


_found: dict[tuple[type, str], Evidence] = {}


@final
@dataclass(frozen=True)
class Constant(Problem):
    """A problem with cost 1, of which the score-function estimate is the mean score of the samples."""

    base: Problem

    @property
    def spec(self) -> str:
        return self.base.spec

    @property
    def measured_in(self) -> torch.dtype:  # pyright: ignore
        return self.base.measured_in

    def initial_params(self) -> Params:
        return self.base.initial_params()

    def distribution(self, params: Params) -> Distribution:
        return self.base.distribution(params)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        replicates = len(next(iter(params.values())))
        return torch.ones(len(x), replicates, dtype=next(iter(params.values())).dtype, device=x.device)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "Constant":
        return Constant(self.base.to(device, dtype))


def wrong_score(workload: Workload, purse: Purse | None = None) -> str:
    """Why what rests on the score is biased on the distribution of a workload, in its dtype; '': nothing says so.

    The mean of the score is known as well as a purse allows.
    """
    return lost_samples(workload).by_score or (WRONG_SCORE if mean_score(workload, purse) < LEVEL else "")


def mean_score(workload: Workload, purse: Purse | None = None) -> float:
    """The p-value of E[score] = 0 on the distribution of a workload, in its dtype, from what a purse allows.

    1 where the score is refused beforehand, or nothing is known and the purse is empty; 0 where it is not finite. It is
    found once a process, and again where seconds ended the test and a purse allows twice as many.
    """
    purse = purse or Purse(LONGEST)
    key = (type(workload.problem), f"{workload.dtype} {workload.device} {fingerprint(workload)}")
    known = _found.get(key)
    if known is None and purse.seconds_left <= 0:
        return 1.0
    if known is None or purse.seconds_left > MORE * known.seconds:
        _found[key] = known = _evidence(workload, purse)
    return known.p_value


def _evidence(workload: Workload, purse: Purse) -> Evidence:
    allowed = max(purse.seconds_left, 0.0)
    event = workload.problem.initial_distribution.event_shape.numel()
    most = MOST_SAMPLES if workload.problem.mapped else FEW_SAMPLES
    num_samples = max(1, min(ELEMENTS // (MOST * event), most))
    problem, score = Constant(workload.problem), ScoreFunction()
    if score.unsupported(problem, num_samples):
        return Evidence(1.0, math.inf)
    scores = prepare(problem, score, num_samples, device=str(workload.device), dtype=workload.dtype)
    affordable = min(ELEMENTS // (num_samples * event), ENTRIES // max(scores.size, 1))
    replicates = max(FEWEST, min(affordable, MOST)) // GROUPS * GROUPS
    found = _scores(scores, replicates, purse)
    seconds = math.inf if len(found) >= replicates else allowed
    if not found.isfinite().all():
        return Evidence(0.0, math.inf)
    groups = _grouped(found.double().cpu().numpy())
    # A score that is zero for each x is one of rounding errors, beside those that are not.
    scale = math.sqrt(float(np.max(groups.variance + groups.overall_mean**2)))
    floor = 64 * torch.finfo(workload.dtype).eps * scale
    return Evidence(statistics.bias_test(groups, np.zeros(groups.mean.shape[1]), floor).p_value, seconds)


def _scores(workload: Workload, replicates: int, purse: Purse) -> Tensor:
    """Mean scores or sums of their entries, `[n, P or SUMS]`: 64, and as many more as a purse allows.

    The first 64 tell how long others take.
    """
    found, signs = list[Tensor](), _signs(workload)
    chunks, have, pace = workload.smaller(GROUPS), 0, 0.0
    while have < GROUPS or (have < replicates and pace * chunks.chunk <= purse.seconds_left):
        began = time.monotonic()
        found.append(_summed(chunks.gradients(len(found)), signs))
        have, pace = have + chunks.chunk, (time.monotonic() - began) / chunks.chunk
        if have >= GROUPS:
            chunks = workload.smaller(STEP)
    return torch.cat(found)[: min(have, replicates) // GROUPS * GROUPS]


def _signs(workload: Workload) -> Tensor | None:
    if workload.size <= SUMS:
        return None
    coin = torch.randint(2, (workload.size,), generator=torch.Generator().manual_seed(0), dtype=torch.int8)
    return (2 * coin - 1).to(workload.device, workload.dtype)


def _summed(scores: Tensor, signs: Tensor | None) -> Tensor:
    """Sums of every 4,096th entry with signs: as large and as noisy together as all entries are."""
    if signs is None:
        return scores
    found = scores.new_zeros(len(scores), SUMS)
    for part, sign in zip(scores.split(SUMS, 1), signs.split(SUMS), strict=True):
        found[:, : len(sign)].addcmul_(part, sign)
    return found


def _grouped(rows: np.ndarray) -> statistics.Groups:
    each = rows.reshape(-1, GROUPS, rows.shape[1])
    mean = each.mean(0)
    return statistics.Groups(len(each), mean, ((each - mean) ** 2).sum(0))
