"""Many comparisons, and few false alarms."""

from collections.abc import Sequence

import numpy as np

__all__ = ["rejected"]


def rejected(p_values: Sequence[float], level: float) -> list[bool]:
    """Which hypotheses are rejected, where all together are to give a false alarm with a probability of `level`.

    Whatever depends on what: the smallest p-value against level / m, the next against level / (m - 1), until one is
    above (Holm 1979).
    """
    size = len(p_values)
    order = np.argsort(p_values, kind="stable")
    below = np.asarray(p_values, float)[order] <= level / (size - np.arange(size))
    found = np.zeros(size, bool)
    found[order] = np.logical_and.accumulate(below)
    return found.tolist()
