"""Events: what few of them, or none, leave open about the mean of an estimate."""

from collections.abc import Sequence

import numpy as np

from experiments.statistics.groups import Groups

__all__ = ["never_varied", "relative_skewness", "straightened", "unseen"]

UNSEEN = 10
"""Events by which a mean may be wrong though they were not seen.

An expected number of 10 gives none with a probability of 5e-5. Simulated at 0.1 to 400 expected events in each of 1 to
10,000 entries: fewer give false alarms.
"""
FEW = 10
"""How many times larger than a single event that was seen the next may be, beside once; of n events, FEW / n."""


def never_varied(groups: Groups, floor: np.ndarray | float = 0.0) -> np.ndarray:
    """Entries all of whose replicates are the same, within rounding: [P]."""
    return groups.variance <= np.maximum(floor, groups.rounding) ** 2


@np.errstate(all="ignore")
def unseen(groups: Groups, floor: np.ndarray, parts: Sequence[slice], scale: float = 0.0) -> np.ndarray:
    """Variance of the overall mean, [P], from events that may exist but have hardly been seen.

    R replicates exclude an event of probability 10 / R, and no more. What one would do to an entry is taken from the
    entries of the same parameter (`parts`): the size of the replicates that make up their variance, the root of
    E x^4 / E x^2 about the mean, and more where those are few, which say little about the next. Where none of them
    varies, a constant is thought to be one, and a constant of 0 to be an event that was missed, as large as those of
    other parameters; where nothing varies at all, as large as `scale`, which is infinite where any constant may be one.
    """
    constant = never_varied(groups, floor)
    fourth, square = _fourth_moment(groups), groups.variance**2
    size = np.where(constant, 0.0, np.sqrt(fourth / groups.variance))
    events = np.where(constant, 0.0, square * groups.replicates / (fourth - square))  # that a variance rests on
    anywhere = _next(size, events) or scale
    of_entry = np.empty_like(size)
    for part in parts:
        missed = constant[part] & (np.isinf(scale) | (np.abs(groups.overall_mean[part]) <= floor[part]))
        of_entry[part] = _next(size[part], events[part]) or np.where(missed, anywhere, 0.0)
    return UNSEEN * (of_entry / groups.replicates) ** 2


def _next(size: np.ndarray, events: np.ndarray) -> float:
    """How large the next event may be: 0 where there was none."""
    total = events.sum()
    return float(size.max() * (1 + FEW / total)) if total > 0 else 0.0


def relative_skewness(groups: Groups, variance: np.ndarray) -> np.ndarray:
    """Third central moment of the overall mean in units of `variance`^1.5, [P]; `variance` is at least its own.

    Within a group of n, the covariance of the sum and of the sum of squares is n times the third moment of a replicate.
    """
    third = np.concatenate([_third_moment(groups, place) for place in groups.slices])
    return np.divide(third / groups.replicates**2, variance**1.5, out=np.zeros_like(third), where=variance > 0)


def straightened(scores: np.ndarray, skewness: np.ndarray) -> np.ndarray:
    """Studentised scores of a skewed mean as those of a Gaussian one (Hall 1992, sec. 3.9.3).

    Of few events, too few means too small a variance too. The correction is a cubic of the score that grows
    everywhere; beyond its turning point it stands still.
    """
    bend = np.maximum(1 + skewness * scores / 3, 0.0)
    skewed = np.abs(skewness) > 1e-8
    return np.divide(bend**3 - 1, skewness, out=np.array(scores, float), where=skewed) + skewness / 6


def _third_moment(groups: Groups, place: slice) -> np.ndarray:
    """The covariance of the mean and the sum of squares of a group, [w]."""
    about = groups.mean[:, place] - groups.overall_mean[place]
    return np.einsum("gp,gp->p", about, _squares(groups, place)) / (len(about) - 1)


def _fourth_moment(groups: Groups) -> np.ndarray:
    """About the mean, [P], from the spread of the sums of squares of the groups."""
    spreads = [_squares(groups, place).var(axis=0, ddof=1) for place in groups.slices]
    return np.concatenate(spreads) / groups.count + groups.variance**2


def _squares(groups: Groups, place: slice) -> np.ndarray:
    """Sums of squares about the overall mean, [G, w]."""
    about = groups.mean[:, place] - groups.overall_mean[place]
    return groups.deviations[:, place] + groups.count * about**2
