"""How much of what a training sees as noise is the choice of its mini-batch, and how much the samples."""

from dataclasses import replace

import numpy as np
import torch

from estimators.sampling.unchecked import without_validation
from experiments import statistics
from experiments.gradients.mini_batches import InBatches
from experiments.gradients.workload import Workload, flatten
from experiments.measuring.measurement import Measurement
from experiments.statistics import GROUPS, Groups, Interval

__all__ = ["PART", "batch_share", "with_batch_share"]

PART = 16
"""A part of the replicates, one in so many, is drawn once more in pairs."""


def batch_share(workload: Workload, groups: Groups) -> Interval | None:
    """The share of the mini-batch in the total variance; what is left is that of the samples, given the batch.

    By pairs of estimates on one batch, with noise of their own, about the mean that was measured. None: there are no
    mini-batches, nothing varies, or something is not finite.
    """
    if not isinstance(workload.estimator, InBatches):
        return None
    rows = max(groups.count // PART, 1)
    shared, own, mean = np.zeros(GROUPS), np.zeros(GROUPS), torch.from_numpy(groups.overall_mean)
    chunk = min(workload.chunk, GROUPS * rows)
    for index in range(-(-GROUPS * rows // chunk)):
        pair = _pair(workload, index, chunk)
        first, second = (gradients.double().cpu() - mean for gradients in pair)
        places = (index * chunk + np.arange(chunk)) % GROUPS
        np.add.at(shared, places, (first * second).sum(1).numpy())
        np.add.at(own, places, (first - second).square().sum(1).numpy() / 2)
    pairs = np.bincount(np.arange(-(-GROUPS * rows // chunk) * chunk) % GROUPS, minlength=GROUPS)
    shared, own = shared / pairs, own / pairs
    shared -= groups.variance.sum() / groups.replicates  # the mean is itself an estimate
    return statistics.shared_part(shared, own) if np.isfinite(shared + own).all() else None


def with_batch_share(measurement: Measurement, workload: Workload) -> Measurement:
    """The measurement, which says what part of its variance is the choice of the mini-batch."""
    return replace(measurement, batch_share=batch_share(workload, measurement.groups))


def _pair(workload: Workload, index: int, replicates: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two chunks of estimates, `[R, P]` each, on the same mini-batches."""
    estimator, problem, count = workload.estimator, workload.problem, workload.num_samples
    assert isinstance(estimator, InBatches)
    params, source = workload.params(replicates), workload.source("pairs", index)
    with torch.no_grad(), without_validation():
        noise = estimator.draw(problem, params, count, source)
        other = estimator.drawn_again(problem, params, count, noise, source.stream("again"))
    with without_validation():
        return flatten(workload.gradient(params, noise)), flatten(workload.gradient(params, other))
