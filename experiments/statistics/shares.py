"""The part of a variance that pairs of estimates share: that of the mini-batch, of which both have the same."""

import numpy as np

from experiments.statistics.groups import jackknife_error
from experiments.statistics.interval import Interval
from experiments.statistics.laws import t

__all__ = ["shared_part"]


def shared_part(shared: np.ndarray, own: np.ndarray) -> Interval | None:
    r"""The part of a total variance that two estimates have in common, from G groups of pairs, in [0, 1].

    $\rho = \sum_k C_k / \sum_k (C_k + W_k)$ with the group means `shared`, $C_k$ of $\langle g - \mu, g' - \mu
    \rangle$, and `own`, $W_k$ of $\frac12 \|g - g'\|^2$; its error by the jackknife over groups (Efron & Stein 1981).
    By the law of total variance C is the variance of the mean given the batch, and W the mean of the variance given
    it. None: nothing varies.
    """
    total = shared + own
    if not total.sum() > 0:
        return None
    without = (shared.sum() - shared) / (total.sum() - total)
    value, reach = shared.sum() / total.sum(), t.ppf(0.975, len(shared) - 1) * jackknife_error(without)
    return Interval(*(float(np.clip(end, 0.0, 1.0)) for end in (value, value - reach, value + reach)))
