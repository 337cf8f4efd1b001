"""Replicates, summarised in equal groups whose spread tells how sure a figure is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

__all__ = ["GROUPS", "Groups", "Spread", "distinct_pairs", "jackknife_error", "projected", "rounding", "slices"]

GROUPS = 64
WIDTH = 2**11
"""Entries whose figures are computed together: 1 MiB for all groups, which stays in the cache."""


class Spread(NamedTuple):
    """Of the group means about the overall mean, summed over the entries."""

    products: np.ndarray
    """Those of two groups, [G, G]."""
    along: np.ndarray
    """Those of a group and the overall mean, [G]."""


@dataclass(frozen=True, eq=False)
class Groups:
    """G groups of equally many replicates of P parameters, in float64, or of very many parameters in float32.

    Memory does not grow with the number of replicates. Figures go over slices of entries, in float64: with a million,
    one more array of this shape is half a GiB.
    """

    count: int  # replicates per group
    mean: np.ndarray  # [G, P]
    deviations: np.ndarray  # [G, P], sums of squared deviations from the group's own mean

    def of(self, parameters: slice) -> "Groups":
        """The groups of some parameters alone."""
        part = Groups(self.count, self.mean[:, parameters], self.deviations[:, parameters])
        vars(part).update(overall_mean=self.overall_mean[parameters], variance=self.variance[parameters])
        return part

    def gather(self, parts: Sequence["Groups"]) -> None:
        """Take the sums over all entries from those of its parts, which keep them for themselves."""
        total = np.sum([part.leave_one_out_total for part in parts], axis=0)
        spread = Spread(*(np.sum(each, axis=0) for each in zip(*(part.spread for part in parts), strict=True)))
        vars(self).update(leave_one_out_total=total, spread=spread)

    @property
    def slices(self) -> list[slice]:
        """Of the entries, as many as are computed together."""
        return slices(self.mean.shape[1])

    @property
    def replicates(self) -> int:
        return self.count * len(self.mean)

    @cached_property
    def overall_mean(self) -> np.ndarray:
        """Mean over all replicates, [P]."""
        return self.mean.mean(axis=0, dtype=np.float64)

    @cached_property
    def variance(self) -> np.ndarray:
        """Unbiased variance of one replicate, pooled over all of them, [P]."""
        return np.concatenate([self._variance(place) for place in self.slices])

    def _variance(self, place: slice) -> np.ndarray:
        between = ((self.mean[:, place] - self.overall_mean[place]) ** 2).sum(axis=0)
        within = self.deviations[:, place].sum(axis=0, dtype=np.float64)
        return (within + self.count * between) / (self.replicates - 1)

    @property
    def rounding(self) -> np.ndarray:
        """The error that the overall mean may have from rounding, [P]."""
        return rounding(self.overall_mean, self.mean.dtype)

    @cached_property
    def spread(self) -> Spread:
        """Found in one pass."""
        size = len(self.mean)
        products, along = np.zeros((size, size)), np.zeros(size)
        for place in self.slices:
            own = self.mean[:, place] - self.overall_mean[place]
            products += own @ own.T
            along += own @ self.overall_mean[place]
        return Spread(products, along)

    def leave_one_out_variance(self, place: slice = slice(None)) -> np.ndarray:
        """The pooled variance of some entries without group k, [G, w]; 0 where only group k varies."""
        size = len(self.mean)
        # Dropping m_k takes G/(G-1) (m_k - mean)^2 from the sum of squares between groups.
        own = self.mean[:, place] - self.overall_mean[place]
        np.square(own, out=own)
        own *= self.count * size / (size - 1)
        own += self.deviations[:, place]
        total = self.variance[place] * (self.replicates - 1)
        remaining = np.subtract(total, own, out=own)
        remaining[remaining <= rounding(total)] = 0.0
        remaining /= self.replicates - self.count - 1
        return remaining

    def leave_one_out(self) -> Iterator[tuple[slice, np.ndarray]]:
        """`leave_one_out_variance` slice by slice; the total is known at the end."""
        total = np.zeros(len(self.mean))
        for place in self.slices:
            remaining = self.leave_one_out_variance(place)
            total += remaining.sum(axis=1)
            yield place, remaining
        vars(self).setdefault("leave_one_out_total", total)

    @cached_property
    def leave_one_out_total(self) -> np.ndarray:
        """The total variance without group k, [G]."""
        return np.sum([self.leave_one_out_variance(place).sum(axis=1) for place in self.slices], axis=0)


def slices(size: int) -> list[slice]:
    """Of so many entries, as many as are computed together."""
    return [slice(start, min(start + WIDTH, size)) for start in range(0, max(size, 1), WIDTH)]


def projected(rows: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """[G, P] along a direction, [G]; slice by slice, since rows in float32 are turned into float64 for it."""
    return np.sum([rows[:, place] @ direction[place] for place in slices(len(direction))], axis=0)


def rounding(magnitude: np.ndarray, dtype: np.typing.DTypeLike = np.float64) -> np.ndarray:
    """The error that sums of this magnitude may have."""
    return 64 * np.finfo(dtype).eps * np.abs(magnitude)


def jackknife_error(leave_one_out: np.ndarray) -> np.ndarray:
    """Standard error of a statistic from its G leave-one-group-out values (Efron & Stein 1981), over axis 0."""
    return np.sqrt((len(leave_one_out) - 1) * leave_one_out.var(axis=0))


def distinct_pairs(products: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of `products` [G, G] over pairs of different groups, and its leave-one-group-out values [G].

    A product of two noisy means is biased where both come from one group (Hoeffding 1948, U-statistics).
    """
    size = len(products)
    products = products - np.diag(np.diag(products))
    total = products.sum()
    without = total - products.sum(axis=0) - products.sum(axis=1)
    return float(total / (size * (size - 1))), without / ((size - 1) * (size - 2))
