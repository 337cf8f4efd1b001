"""How a measurement begins: by a count of entries where gradients are cheap, by the clock where they take long."""

import math
import time
from collections.abc import Callable

import torch

from experiments.gradients.workload import Workload
from experiments.measuring.moments import MANY, Sampling
from experiments.measuring.stop import Stop
from experiments.statistics import GROUPS

__all__ = ["FIRST_REPLICATES", "begin"]

FIRST_REPLICATES = 20_000
"""The first goal where gradients are cheap and small: rare events show among so many."""
FIRST_ENTRIES = 2**28
"""Entries of gradients that a first goal has at the most: of many, the total variance is known sooner."""
FEW = 4 * GROUPS
"""The first goal where gradients take long, or have a million entries."""
LONG = 10.0
"""Seconds from which on a chunk, or a first goal, takes long: ten times what cheap gradients take."""
SHORT = 1.0
"""The same for a chunk, where the budget is no longer than this."""
BLOCK_SECONDS = 1.0
"""Seconds that a block has where gradients take long, if that makes 64 of them: a budget is kept to within a block."""
PART = 1 / 4
"""The part of a short budget that a block has at the most."""
BLOCK_OF_MANY = 1 / 16
"""The part of the budget that a block of large gradients has, if it is more: fewer blocks merge moments less often."""
SURE = 0.5
"""Seconds of 64 replicates that are not what torch takes for any call, nor what another process has taken away."""
LOOKS = 3


def begin(sampling: Sampling, limit: int, stop: Stop) -> int:
    """Begin to sample no more than `limit` replicates; the first goal.

    A first look at 64 replicates tells whether gradients take so long (a simulator, a loop in NumPy, a large network)
    that a chunk would take more than ten seconds, or than the budget: then chunks have 64 replicates, of which the
    first has been computed. Where that, or the first goal, would take so long, blocks take a second, or a quarter of
    the budget. A look of less than half a second is taken again, to be sure. Where the first goal would take ten
    seconds, it is 256. Otherwise the clock has decided nothing, so that cheap gradients give the same numbers on all
    machines.
    """
    full = sampling.workload.at_most(limit)
    goal = limit if stop.replicates else min(FIRST_REPLICATES, max(FIRST_ENTRIES // max(full.size, 1), FEW), limit)
    look = full.smaller(GROUPS)
    sampling.begin(look.eager)
    try:
        seconds = _seconds(lambda: sampling.grow(GROUPS))
    except torch.OutOfMemoryError:  # those of full size will tell what fits
        sampling.begin(full)
        return goal
    allowed = min(LONG, max(stop.max_seconds or LONG, SHORT))
    pace = seconds / GROUPS
    if pace * max(full.chunk, goal) >= allowed:
        if seconds < SURE:
            pace = _pace(look.eager)
        elif full.size >= MANY:  # in a look most of the time goes to moments, which larger blocks merge less often
            pace = _seconds(lambda: look.eager.gradients(0)) / look.chunk
    slow, far = pace * full.chunk >= allowed, pace * goal >= allowed
    if not slow and look.chunk < full.chunk:
        sampling.begin(full)
    budget = stop.max_seconds or math.inf
    of_many = BLOCK_OF_MANY * budget if full.size >= MANY else 0.0
    rows = int(min(max(min(BLOCK_SECONDS, PART * budget), of_many) / max(pace * GROUPS, 1e-9), limit))
    sampling.go_on(look if slow else full, GROUPS * max(rows, 1) if slow or far else None)
    return min(FEW, goal) if pace * goal >= LONG and not stop.replicates else goal


def _pace(workload: Workload) -> float:
    """The seconds that a replicate adds to a call, without those that any call takes."""
    many = min(_seconds(lambda: workload.gradients(0)) for _ in range(LOOKS))
    if workload.chunk == 1:
        return many
    one = min(_seconds(workload.one_gradient) for _ in range(LOOKS))
    return max(many - one, 0.0) / (workload.chunk - 1)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
