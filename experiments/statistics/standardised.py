"""The deviation of an estimate from the gradient in units of its noise, and three tests of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from experiments.statistics import laws as stats
from experiments.statistics.deviation import Deviation, noise_traces
from experiments.statistics.events import never_varied, relative_skewness, straightened, unseen
from experiments.statistics.groups import Groups, distinct_pairs, jackknife_error, rounding

__all__ = ["Standardised", "gradient", "squared_norm"]

FAR = 3.0
"""Scores beyond which the skewness of an entry counts among all entries: nearer by, it averages out."""


class _Weighed(NamedTuple):
    along: np.ndarray
    """The deviation along the gradient, [G]."""
    squares: float
    """The mean product of the deviations of different groups."""


@dataclass(frozen=True, eq=False)
class Standardised:
    """Every entry has variance 1 by construction: total^2 = variance of the overall mean + unseen + rounding^2.

    Where estimates are skewed, a variance is correlated with the mean of the same replicates, and a sum over many
    entries adds that up. Against an exact gradient, each group is therefore weighed by the variances of the others.
    """

    replicates: int
    deviation: Deviation
    reference: np.ndarray  # [P] exact or [G, P] measured
    floor: np.ndarray  # [P]
    unseen: np.ndarray  # [P], variance of the overall mean from events that were not seen
    skewness: np.ndarray  # [P], of the overall mean
    shrunk: np.ndarray  # [P], deviation soft-thresholded by the floor
    precision: np.ndarray  # [P], 1 / total^2; 0 for an entry that is always exactly 0
    groups: Groups
    least: np.ndarray  # [P], what total^2 has beside the variance of the overall mean

    @classmethod
    def of(
        cls,
        groups: Groups,
        reference: np.ndarray,
        floor: np.ndarray | float,
        parts: Sequence[slice] = (slice(None),),
        scale: float = 0.0,
    ) -> "Standardised":
        deviation = Deviation.of(groups, reference)
        magnitude = np.maximum(np.abs(groups.overall_mean), np.abs(gradient(reference)))
        floors = np.maximum(floor, rounding(magnitude, reference.dtype))
        shrunk = deviation.mean - np.clip(deviation.mean, -floors, floors)
        # What is always the same, and right to the last digit, is no accident.
        certain = never_varied(groups, floors) & (shrunk == 0)
        absent = np.where(certain, 0.0, unseen(groups, floors, parts, scale))
        total = deviation.noise + absent + floors**2
        absent[np.isinf(absent)] = 0.0  # such an entry takes no part: its precision is 0
        precision = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        skewness, least = relative_skewness(groups, total), total - deviation.noise
        return cls(groups.replicates, deviation, reference, floors, absent, skewness, shrunk, precision, groups, least)

    @property
    def degrees(self) -> int:
        return self.deviation.size - 1

    @cached_property
    def direction(self) -> np.ndarray:
        """u = g / total^2, [P]: of all projections the one with most power against "g times a constant"."""
        return gradient(self.reference) * self.precision

    @cached_property
    def along(self) -> tuple[float, float]:
        """Deviation along u and its standard error."""
        if self.deviation.measured:
            value, leave_one_out = distinct_pairs(self._products(self.deviation.rows))
            error = jackknife_error(leave_one_out)
        else:
            values = self._weighed.along
            value, error = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
        value += self.direction @ (self.shrunk - self.deviation.mean)
        return float(value), float(np.hypot(error, self._rounded_or_unseen))

    def _products(self, rows: Callable[[slice], np.ndarray]) -> np.ndarray:
        """Of each group of the measured reference with each of the rows, weighed, [G, G]."""
        weighed = [(self.reference[:, at] * self.precision[at]) @ rows(at).T for at in self.deviation.slices]
        return np.sum(weighed, axis=0)

    @cached_property
    def _weighed(self) -> "_Weighed":
        """Sums in which each group is weighed by the variances of the others, which take [G, P] each."""
        along, squares = np.zeros(self.deviation.size), 0.0
        for place in self.deviation.slices:
            rows, others = self.deviation.rows(place), self._without_each(place)
            others *= rows
            along += others @ self.reference[place]
            rest = self.deviation.mean[place] - rows / len(rows)
            squares += float(np.vdot(others, rest)) / len(rows)
        return _Weighed(along, squares)

    def _without_each(self, place: slice) -> np.ndarray:
        """1 / total^2 without group k, [G, w]; a group without which nearly nothing varies is left in its entry."""
        total = self.groups.leave_one_out_variance(place) / self.groups.replicates
        np.maximum(total, self.deviation.noise[place] / 4, out=total)
        total += self.least[place]
        return np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)

    @cached_property
    def _along_direction(self) -> np.ndarray:
        """The spread of the groups along u, [G]."""
        return self.deviation.along(self.direction)

    @cached_property
    def _skewness_along(self) -> float:
        """Third central moment of the mean along u."""
        values = self._along_direction
        return float((values**3).mean() / len(values) ** 2)

    @cached_property
    def _rounded_or_unseen(self) -> float:
        """Error along u of what the groups do not show."""
        return float(np.sqrt(self.direction**2 @ (self.floor**2 + self.unseen)))

    @cached_property
    def scores(self) -> np.ndarray:
        """z, [P], of a standard normal where there is no bias."""
        scores = self.shrunk * np.sqrt(self.precision)
        # Variances from G group means alone make it Student's t, whose square is nu / (nu - 2) on average.
        return _normal(scores, self.degrees) if self.deviation.measured else scores

    def p_along(self) -> float:
        """Student's t with G - 1 degrees of freedom; the skewness of the groups can only make it larger."""
        value, error = self.along
        if not error > 0:
            return 1.0
        score = value / error
        straight = straightened(np.array(score), np.array(self._skewness_along / error**3))
        return float(2 * stats.t.sf(min(abs(score), abs(straight)), self.degrees))

    def p_together(self) -> float:
        """Sum of squared scores as a chi-square of three matched moments (Hall 1983, Buckley & Eagleson 1988).

        Two moments give 1.6 % false alarms at a nominal 0.1 %.
        """
        traces = noise_traces(self.deviation.products(self.precision), np.sign(self.precision))
        if traces.first == 0:
            return 1.0
        df = traces.second**3 / traces.third**2
        statistic = (self._sum_of_squares() - traces.first) / np.sqrt(2 * traces.second)
        return float(stats.chi2.sf(df + np.sqrt(2 * df) * statistic, df))

    def _sum_of_squares(self) -> float:
        """The sum of squared scores; against an exact gradient, from products of different groups, as in `along`."""
        if self.deviation.measured:
            return float((self.scores**2).sum())
        rounded = self.shrunk**2 - self.deviation.mean**2 + self.deviation.noise
        far = np.abs(self.scores) > FAR
        skewed = np.minimum(self._straight_scores[far] ** 2 - self.scores[far] ** 2, 0.0)
        return float(self._weighed.squares + self.precision @ rounded + skewed.sum())

    def p_each(self) -> float:
        """First step of Holm (1979): the largest score, each corrected for its skewness."""
        largest = np.abs(self._straight_scores).max()
        return float(min(1.0, 2 * self.scores.size * stats.norm.sf(largest)))

    @cached_property
    def _straight_scores(self) -> np.ndarray:
        scores = self.scores if self.deviation.measured else _normal(self.scores, self.replicates - 1)
        return straightened(scores, self.skewness)

    def detectable(self, alpha: float) -> float:
        """Smallest relative bias along the gradient that `p_along` finds at alpha / 3 with probability 0.99."""
        strength = self._strength()
        if strength <= 0:
            return float("inf")
        quantiles = stats.t.ppf([1 - alpha / 6, 0.99], self.degrees).sum()
        return float((quantiles * self._noise_along() + np.abs(self.direction) @ self.floor) / strength)

    def _noise_along(self) -> float:
        """The noise of `along`, from the spread alone: what decides whether to go on must not see the deviation."""
        if self.deviation.measured:
            return self.along[1]
        error = np.linalg.norm(self._along_direction) / np.sqrt(self.degrees * (self.degrees + 1))
        return float(np.hypot(error, self._rounded_or_unseen))

    def _strength(self) -> float:
        """The gradient itself, projected on u."""
        if self.reference.ndim == 1:
            return float(self.direction @ self.reference)
        return distinct_pairs(self._products(lambda place: self.reference[:, place]))[0]


def _normal(scores: np.ndarray, degrees: int) -> np.ndarray:
    """Student's t as normal scores of the same tail."""
    return np.sign(scores) * stats.norm.isf(stats.t.sf(np.abs(scores), degrees))


def gradient(reference: np.ndarray) -> np.ndarray:
    """[P], the mean of a measured reference."""
    return reference if reference.ndim == 1 else reference.mean(axis=0, dtype=np.float64)


def squared_norm(reference: np.ndarray) -> float:
    """||g||^2, without the noise of a measured reference."""
    return float((reference**2).sum()) if reference.ndim == 1 else max(0.0, distinct_pairs(reference @ reference.T)[0])
