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
WIDE = 2**16
"""Entries from which on moments are kept in float32: of fewer they take at most 64 MiB."""
MOST_IN_FLOAT32 = 16
"""Replicates whose sums lose no more than the last digit of float32."""
SMALLEST_SUM, LARGEST_SUM = 1e-29, 1e35
"""Between these, sums of squares in float32 have all their digits."""


@final
class Running:
    """Means and sums of squared deviations of all estimates so far, `[64, P]`.

    In float64; in float32 where they are `WIDE`: with a million entries they take half a gibibyte then, and what
    rounding adds, 6e-8 of a figure, is far below its noise. Both are updated in place, and what `snapshot` gave never
    changes: the first update after it begins with a copy.
    """

    def __init__(self, size: int):
        self.count = 0
        """Replicates in each group."""
        # Written by the first `add` of each group. Not np.zeros: its small pages take ten times as long as huge ones.
        dtype = np.float32 if size >= WIDE else np.float64
        self._mean, self._deviations = np.empty((GROUPS, size), dtype), np.empty((GROUPS, size), dtype)
        self._groups: Groups | None = None
        self._shared = False

    @property
    def nbytes(self) -> int:
        return self._mean.nbytes + self._deviations.nbytes

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
        narrow = gradients.device.type == "cpu" and gradients.dtype == torch.float32 and 1 < new <= MOST_IN_FLOAT32
        for place in _slices(gradients):
            part, own = rows[..., place], (self._mean[groups, place], self._deviations[groups, place])
            if not (narrow and _added_in_float32(part.numpy(), before, *own)):
                finite &= _added_in_float64(part, before, *own)
        return finite

    def complete(self, rows: int) -> None:
        """Count the replicates that each group has had meanwhile."""
        self.count += rows


def _slices(gradients: Tensor) -> Iterator[slice]:
    size = gradients.shape[1]
    # A GPU has no such cache, and each slice costs it some launches.
    width = max(SLICE // len(gradients), NARROWEST) if gradients.device.type == "cpu" else size
    return (slice(start, start + width) for start in range(0, size, width))


def _added_in_float64(rows: Tensor, before: int, mean: np.ndarray, deviations: np.ndarray) -> bool:
    """Add `[n, g, w]` to moments of `before` others; whether they are finite."""
    new, total = len(rows), before + len(rows)
    rows = rows.to(torch.float64, copy=True)
    shift = (rows.mean(0) if new > 1 else rows[0]).cpu().numpy()
    finite = bool(np.isfinite(shift).all())
    within: np.ndarray | float = 0.0
    if new > 1:
        within = (rows - torch.from_numpy(shift).to(rows.device)).square_().sum(0).cpu().numpy()
        finite = bool(np.isfinite(within).all())
    if before == 0:
        mean[:], deviations[:] = shift, within
        return finite
    deviations += within
    shift -= mean
    mean += shift * (new / total)
    shift *= shift
    shift *= before * new / total
    deviations += shift
    return finite


def _added_in_float32(rows: np.ndarray, before: int, mean: np.ndarray, deviations: np.ndarray) -> bool:
    """The same from sums in float32 of the differences from a point; False: they would lose digits, nothing is added.

    Where x are the differences from the mean so far, of c replicates, the mean moves by Σx / (c + n), and the
    deviations grow by Σx² - (Σx)² / (c + n), at least Σx² c / (c + n): little cancels, however large the mean is. The
    point is that mean rounded to float32, and at first one of the n, of which Σx² / n remain.
    """
    new, total = len(rows), before + len(rows)
    point = mean.astype(np.float32) if before else rows[0]
    about = rows - point
    squares = np.einsum("ngw,ngw->gw", about, about)
    poor = ~((squares > SMALLEST_SUM) & (squares < LARGEST_SUM))
    if poor.any() and (about.any(0) & poor).any():
        return False
    if before == 0:
        mean[:], deviations[:] = point, 0.0
    sums = about.sum(0)
    rounded = np.subtract(point, mean, out=np.empty_like(point), casting="same_kind")
    shift = sums + new * rounded
    squares += (sums + shift) * rounded
    squares -= shift * shift / total
    deviations += squares
    mean += shift / total
    return True
