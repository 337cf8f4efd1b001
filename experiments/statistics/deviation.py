"""Group means less the gradient, split into their mean and the spread about it; never held as a whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from experiments.statistics.groups import Groups, Spread, slices

__all__ = ["Deviation", "Traces", "noise_traces"]


class Traces(NamedTuple):
    """tr C, tr C^2 and tr C^3 of the covariance C of the overall mean."""

    first: float
    second: float
    third: float


@dataclass(frozen=True, eq=False)
class Deviation:
    """Group means minus the reference, computed anew for each slice of entries: with a million, they are half a GiB."""

    rows: Callable[[slice], np.ndarray]  # those of a slice, [G, w]
    mean: np.ndarray  # [P]
    noise: np.ndarray  # [P], variance of `mean`
    measured: bool  # noise has G - 1 degrees of freedom, otherwise as many as there are replicates
    known: Spread | None = None  # where it is that of the groups, and so known without a pass

    @classmethod
    def of(cls, groups: Groups, reference: np.ndarray) -> "Deviation":
        """`reference`: [P] exact, or [G, P] group means of a measured one, whose noise then also counts."""

        def rows(place: slice) -> np.ndarray:
            return np.subtract(groups.mean[:, place], reference[..., place], dtype=np.float64)

        if reference.ndim == 2:
            return cls.of_rows(rows, reference.shape[1])
        mean = groups.overall_mean - reference
        deviation = cls(rows, mean, groups.variance / groups.replicates, False)
        along = groups.spread.along if not reference.any() else deviation.along(mean)
        return replace(deviation, known=Spread(groups.spread.products, along))

    @classmethod
    def of_rows(cls, rows: Callable[[slice], np.ndarray], size: int) -> "Deviation":
        """With the noise that shows in the rows themselves."""
        mean, noise = np.empty((2, size))
        for place in slices(size):
            own = rows(place)
            mean[place], noise[place] = own.mean(axis=0), own.var(axis=0, ddof=1) / len(own)
        return cls(rows, mean, noise, True)

    @property
    def slices(self) -> list[slice]:
        return slices(len(self.mean))

    def spread(self, place: slice) -> np.ndarray:
        """[G, w], sums to 0 over the groups."""
        rows = self.rows(place)
        rows -= self.mean[place]
        return rows

    @property
    def size(self) -> int:
        """G, the number of groups."""
        return len(self.rows(slice(0, 1)))

    @property
    def squared(self) -> float:
        """Unbiased estimate of the squared norm of the expectation."""
        return float((self.mean**2).sum() - self.noise.sum())

    @cached_property
    def own(self) -> Spread:
        """The spread and the mean of this deviation, over the entries."""
        return Spread(self.products(), self.along(self.mean)) if self.known is None else self.known

    @cached_property
    def traces(self) -> Traces:
        """Those of the covariance of `mean`."""
        return noise_traces(self.own.products, self.noise)

    @property
    def squares_without_each(self) -> np.ndarray:
        """The squared length of the mean without group k, [G]."""
        others = self.size - 1
        return (self.mean**2).sum() - 2 * self.own.along / others + np.diag(self.own.products) / others**2

    def products(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Sums over the entries of the products of the spread of two groups, [G, G], weighed or not."""
        return sum(_products(self.spread(place), weights, place) for place in self.slices)  # type: ignore[return-value]

    def row_products(self) -> np.ndarray:
        """The same of the group means themselves."""
        return sum(_products(self.rows(place), None, place) for place in self.slices)  # type: ignore[return-value]

    def along(self, direction: np.ndarray) -> np.ndarray:
        """The spread projected on a direction, [G]."""
        return np.sum([self.spread(place) @ direction[place] for place in self.slices], axis=0)

    def noise_along(self) -> float:
        """Variance of the overall mean in its own direction."""
        norm = (self.mean**2).sum()
        if not norm > 0:
            return 0.0
        projected = self.own.along
        return float((projected**2).sum() / ((len(projected) - 1) * len(projected) * norm))


def _products(rows: np.ndarray, weights: np.ndarray | None, place: slice) -> np.ndarray:
    rows = rows if weights is None else rows * np.sqrt(weights[place])
    return rows @ rows.T


def noise_traces(products: np.ndarray, noise: np.ndarray) -> Traces:
    """Traces of powers of the overall mean's covariance, unbiased for Gaussian group means.

    Second power: Srivastava (2005); third: Fisher (2010). They go through the G x G Gram matrix of the group means
    and are clipped to what eigenvalues with the diagonal `noise` allow.

    Args:
        products: [G, G], of the centred group means.
        noise: [P], variances of the overall mean.
    """
    size = len(products)
    n = size - 1
    gram = products / n
    square = gram @ gram
    t1, t2, t3 = np.trace(gram), np.trace(square), (square * gram).sum()
    second = n**2 / ((n - 1) * (n + 2)) * (t2 - t1**2 / n) / size**2
    third = n**4 / ((n - 1) * (n - 2) * (n + 2) * (n + 4)) * (t3 - 3 * t2 * t1 / n + 2 * t1**3 / n**2) / size**3
    first = noise.sum()
    second = np.clip(second, (noise**2).sum(), first**2)
    least = max((noise**3).sum(), second**2 / first) if first > 0 else 0.0
    third = np.clip(third, least, second**1.5)
    return Traces(float(first), float(second), float(third))
