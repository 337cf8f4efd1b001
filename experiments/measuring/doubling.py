"""Replicates in chunks that begin small and grow with what there is: no long step before a pace is known."""

from experiments.measuring.moments import Sampling
from experiments.measuring.purse import Purse
from experiments.statistics import GROUPS

__all__ = ["next_block", "reach"]

FRACTION = 4
"""Of the replicates that there are, the part that a chunk adds."""

MARGIN = 1.2
"""What a step may take beyond the pace of the one before: an interrupted one is lost, with all before it."""


def next_block(replicates: int) -> int:
    """The replicates of the chunk that follows: 64 at first, then the largest power of two below a quarter more.

    It follows from what there is alone. So several estimators meet the same noise as far as they go, wherever each of
    them ends.
    """
    return max(GROUPS, 1 << max(replicates // FRACTION, 1).bit_length() - 1)


def reach(sampling: Sampling, replicates: int, purse: Purse | None = None) -> float:
    """Let a sampling grow to so many replicates, or as far as a purse allows; the seconds that it took.

    The last step may go beyond: chunks are used in full. A step is begun if it can end in time at the pace of the one
    before.
    """
    purse = purse or Purse()
    began = purse.elapsed
    sampling.within_memory(lambda: _reach(sampling, replicates, purse))
    return purse.elapsed - began


def _reach(sampling: Sampling, replicates: int, purse: Purse) -> None:
    workload, pace = sampling.workload, 0.0
    each = workload.estimator.evaluations(workload.problem, workload.num_samples)
    while sampling.replicates < replicates:
        size = sampling.resize(next_block(sampling.replicates))
        if not purse.allows(MARGIN * pace * size, each * size):
            break
        before = purse.elapsed
        sampling.grow(size)
        pace = (purse.elapsed - before) / size
        purse.pay(each * size)
