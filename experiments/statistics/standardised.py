"""The deviation of an estimate from the gradient in units of its noise, and three tests of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from experiments.statistics.bias import Deviation, noise_traces
from experiments.statistics.events import never_varied, relative_skewness, straightened, unseen
from experiments.statistics.groups import Groups, distinct_pairs, jackknife_error, rounding

__all__ = ["Standardised", "gradient", "squared_norm"]

FAR = 3.0
"""Scores beyond which the skewness of an entry counts among all entries: nearer by, it averages out."""


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
    others: np.ndarray  # [G, P], the same without group k, or [P] where the reference is measured

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
        floors = np.maximum(floor, rounding(magnitude))
        shrunk = deviation.mean - np.clip(deviation.mean, -floors, floors)
        # What is always the same, and right to the last digit, is no accident.
        certain = never_varied(groups, floors) & (shrunk == 0)
        absent = np.where(certain, 0.0, unseen(groups, floors, parts, scale))
        total = deviation.noise + absent + floors**2
        absent[np.isinf(absent)] = 0.0  # such an entry takes no part: its precision is 0
        precision = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        others = precision if deviation.measured else _without_each(groups, deviation.noise, total - deviation.noise)
        skewness = relative_skewness(groups, total)
        return cls(groups.replicates, deviation, reference, floors, absent, skewness, shrunk, precision, others)

    @property
    def degrees(self) -> int:
        return len(self.deviation.spread) - 1

    @cached_property
    def direction(self) -> np.ndarray:
        """u = g / total^2, [P]: of all projections the one with most power against "g times a constant"."""
        return gradient(self.reference) * self.precision

    @cached_property
    def along(self) -> tuple[float, float]:
        """Deviation along u and its standard error."""
        rows = self.deviation.spread + self.deviation.mean
        if self.deviation.measured:
            value, leave_one_out = distinct_pairs((self.reference * self.precision) @ rows.T)
            error = jackknife_error(leave_one_out)
        else:
            values = np.einsum("p,gp,gp->g", self.reference, self.others, rows)
            value, error = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
        value += self.direction @ (self.shrunk - self.deviation.mean)
        return float(value), float(np.hypot(error, self._rounded_or_unseen))

    @cached_property
    def _skewness_along(self) -> float:
        """Third central moment of the mean along u."""
        values = self.deviation.spread @ self.direction
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
        traces = noise_traces(self.deviation.spread * np.sqrt(self.precision), np.sign(self.precision))
        if traces.first == 0:
            return 1.0
        df = traces.second**3 / traces.third**2
        statistic = (self._sum_of_squares() - traces.first) / np.sqrt(2 * traces.second)
        return float(stats.chi2.sf(df + np.sqrt(2 * df) * statistic, df))

    def _sum_of_squares(self) -> float:
        """The sum of squared scores; against an exact gradient, from products of different groups, as in `along`."""
        if self.deviation.measured:
            return float((self.scores**2).sum())
        rows = self.deviation.spread + self.deviation.mean
        rest = self.deviation.mean - rows / len(rows)
        products = np.einsum("gp,gp,gp->", rows, self.others, rest) / len(rows)
        rounded = self.shrunk**2 - self.deviation.mean**2 + self.deviation.noise
        far = np.abs(self.scores) > FAR
        skewed = np.minimum(self._straight_scores[far] ** 2 - self.scores[far] ** 2, 0.0)
        return float(products + self.precision @ rounded + skewed.sum())

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
        error = np.linalg.norm(self.deviation.spread @ self.direction) / np.sqrt(self.degrees * (self.degrees + 1))
        return float(np.hypot(error, self._rounded_or_unseen))

    def _strength(self) -> float:
        """The gradient itself, projected on u."""
        if self.reference.ndim == 1:
            return float(self.direction @ self.reference)
        return distinct_pairs((self.reference * self.precision) @ self.reference.T)[0]


def _normal(scores: np.ndarray, degrees: int) -> np.ndarray:
    """Student's t as normal scores of the same tail."""
    return np.sign(scores) * stats.norm.isf(stats.t.sf(np.abs(scores), degrees))


def _without_each(groups: Groups, noise: np.ndarray, least: np.ndarray) -> np.ndarray:
    """1 / total^2 without group k, [G, P]; a group without which nearly nothing varies is not left out of its entry."""
    total = groups.leave_one_out_variance() / groups.replicates
    np.maximum(total, noise / 4, out=total)
    total += least
    return np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)


def gradient(reference: np.ndarray) -> np.ndarray:
    """[P], the mean of a measured reference."""
    return reference if reference.ndim == 1 else reference.mean(axis=0)


def squared_norm(reference: np.ndarray) -> float:
    """||g||^2, without the noise of a measured reference."""
    return float((reference**2).sum()) if reference.ndim == 1 else max(0.0, distinct_pairs(reference @ reference.T)[0])
