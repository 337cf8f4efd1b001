"""Group moments that grow in place, in slices of entries that fit the cache."""

from collections.abc import Iterator
from typing import final

import numpy as np
import torch
from torch import Tensor

from experiments.statistics import GROUPS, Groups

__all__ = ["Running"]

SLICE = 2**18
"""Numbers of float64 that a slice has: 2 MiB. A call of torch or numpy takes as long as many numbers."""
NARROWEST = 16
"""Entries that a slice has at least: a line of the cache in float32."""


@final
class Running:
    """Means and sums of squared deviations of all estimates so far, `[64, P]` in float64.

    Both are updated in place, since with a million entries a copy takes a gibibyte. What `snapshot` gave never changes:
    the first update after it begins with a copy.
    """

    def __init__(self, size: int):
        self.count = 0
        """Replicates in each group."""
        self._mean, self._deviations = np.zeros((GROUPS, size)), np.zeros((GROUPS, size))
        self._groups: Groups | None = None
        self._shared = False

    @property
    def groups(self) -> Groups:
        """The moments until the next `add`, which changes them."""
        if self._groups is None:
            self._groups = Groups(self.count, self._mean, self._deviations)
        return self._groups

    def snapshot(self) -> Groups:
        """The moments of the replicates so far."""
        self._shared = True
        return self.groups

    @np.errstate(invalid="ignore", over="ignore")
    def add(self, gradients: Tensor, groups: slice, done: int) -> bool:
        """Add `[n * g, P]`, of which row i belongs to group i modulo g of these g (Chan, Golub & LeVeque 1983).

        These groups have had `done` replicates more than `count`; `complete` follows when all have had as many. Returns
        whether all moments of what was added are finite.
        """
        if self._shared:
            self._mean, self._deviations = self._mean.copy(), self._deviations.copy()
        self._groups, self._shared = None, False
        number = groups.stop - groups.start
        before, new, finite = self.count + done, len(gradients) // number, True
        rows = gradients.unflatten(0, (new, number))
        for place in _slices(gradients):
            mean, deviations = _moments(rows[..., place])
            finite &= bool(np.isfinite(deviations if new > 1 else mean).all())
            own_mean, own_deviations = self._mean[groups, place], self._deviations[groups, place]
            if before == 0:
                own_mean[:], own_deviations[:] = mean, deviations
                continue
            mean -= own_mean
            own_deviations += deviations
            np.square(mean, out=deviations)
            deviations *= before * new / (before + new)
            own_deviations += deviations
            mean *= new / (before + new)
            own_mean += mean
        return finite

    def complete(self, rows: int) -> None:
        """Count the replicates that each group has had meanwhile."""
        self.count += rows


def _slices(gradients: Tensor) -> Iterator[slice]:
    size = gradients.shape[1]
    # A GPU has no such cache, and each slice costs it some launches.
    width = max(SLICE // len(gradients), NARROWEST) if gradients.device.type == "cpu" else size
    return (slice(start, start + width) for start in range(0, size, width))


def _moments(rows: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Means and sums of squared deviations of `[n, g, w]`, in two passes."""
    rows = rows.to(torch.float64, copy=True)
    mean = rows.mean(0) if len(rows) > 1 else rows[0]
    squares = (rows - mean).square_().sum(0) if len(rows) > 1 else torch.zeros_like(mean)
    return mean.cpu().numpy(), squares.cpu().numpy()
