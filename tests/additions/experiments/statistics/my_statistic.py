"""A statistic of one's own."""

import numpy as np

from experiments.statistics.groups import Groups


def my_statistic(groups: Groups) -> float:
    """The largest entry of the mean gradient, in size."""
    return float(np.abs(groups.overall_mean).max())
