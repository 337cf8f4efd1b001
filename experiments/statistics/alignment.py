"""How the mean of the estimates lies to the gradient: how long along it, and at which angle."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.statistics import laws as stats
from experiments.statistics.bias import squared_length
from experiments.statistics.deviation import Deviation
from experiments.statistics.groups import Groups, distinct_pairs, jackknife_error, projected
from experiments.statistics.interval import Interval
from experiments.statistics.standardised import gradient, squared_norm

__all__ = ["Alignment", "alignment", "relative_distance", "relative_error", "resemblance"]

PARALLEL = 0.99
"""The cosine from which on a biased mean is held against a multiple of the gradient."""
ROUNDED = 1e-6
"""What is no angle yet."""
SMALL = 0.1
"""The part of a bias that may lie across the gradient, for the rest to be one of scale."""


@dataclass(frozen=True)
class Alignment:
    """Both None where the gradient is 0 or not finite; the cosine also where the gradient has one entry."""

    scale: Interval | None = None
    """<E g_hat, g> / ||g||^2: 1 of an unbiased estimator, and of a rescaled one by how much."""
    cosine: Interval | None = None
    """<E g_hat, g> / (||E g_hat|| ||g||), of the mean: 1 of every multiple of the gradient, however noisy."""


@np.errstate(all="ignore")
def alignment(groups: Groups, reference: np.ndarray) -> Alignment:
    """Scale and cosine of the mean estimate, from the means of groups alone.

    The part of the mean that is orthogonal to g has an unbiased squared length with the interval of a `squared_bias`;
    the cosine follows from it and from the length along g, and its interval from the ends of both: a little too wide.

    Args:
        groups: [G, P].
        reference: g, [P] exact or [G, P] group means of a measured one, whose noise then counts too.
    """
    g, squared = gradient(reference), squared_norm(reference)
    if not (0 < squared < np.inf and np.isfinite(groups.mean).all()):
        return Alignment()
    scale = _scale(groups, reference, squared)
    if len(g) == 1:
        return Alignment(scale)
    unit = g / np.linalg.norm(g)

    def rows(place: slice) -> np.ndarray:
        own = groups.mean[:, place]
        return own if reference.ndim == 1 else own - scale.value * (reference[:, place] - g[place])

    lengths = np.sum([rows(place) @ unit[place] for place in groups.slices], axis=0)
    off = Deviation.of_rows(lambda place: rows(place) - np.outer(lengths, unit[place]), len(g))
    across = squared_length(off)
    along = np.array(scale) * np.sqrt(squared)
    corners = [_cosine(length, part) for length in along[1:] for part in across[1:]]
    return Alignment(scale, Interval(_cosine(along[0], across.value), min(corners), max(corners)))


def relative_error(reference: np.ndarray) -> float:
    """The standard error of a measured gradient along itself, relative to it; 0 of an exact one."""
    if reference.ndim == 1:
        return 0.0
    g = gradient(reference)
    return float(projected(reference, g).std(ddof=1) / np.sqrt(len(reference)) / (g @ g)) if g.any() else 0.0


def relative_distance(reference: np.ndarray) -> float:
    """The root mean squared error of a measured gradient, relative to its norm; 0 of an exact, NaN of a zero one."""
    if reference.ndim == 1:
        return 0.0
    norm = float(np.linalg.norm(gradient(reference)))
    squared = float(reference.var(0, ddof=1).sum()) / len(reference)
    return float(np.sqrt(squared)) / norm if norm else float("nan")


def _scale(groups: Groups, reference: np.ndarray, squared: float) -> Interval:
    """Student's interval of the groups; with a measured reference that of a jackknife of the ratio."""
    size = len(groups.mean)
    if reference.ndim == 1:
        scales = projected(groups.mean, reference) / squared
        value, error = float(scales.mean()), scales.std(ddof=1) / np.sqrt(size)
    else:
        products, products_without = distinct_pairs(groups.mean @ reference.T)
        squares, squares_without = distinct_pairs(reference @ reference.T)
        value, error = products / squares, jackknife_error(products_without / squares_without)
    half = float(stats.t.ppf(0.975, size - 1) * error)
    return Interval(value, value - half, value + half)


def _cosine(along: float, across: float) -> float:
    """From the length along the gradient and the square of that across it."""
    length = np.sqrt(along**2 + max(across, 0.0))
    return float(along / length) if length > 0 else 0.0


def resemblance(scale: Interval | None, cosine: Interval | None) -> Literal["", "a multiple", "nearly a multiple"]:
    """What a biased mean is of the gradient.

    A multiple where no angle between them is seen, nearly one where at least nine tenths of the bias are a change of
    scale; neither where the angle may be 8 degrees.
    """
    if scale is None or cosine is None or not cosine.low >= PARALLEL:
        return ""
    if cosine.high > 1 - ROUNDED:
        return "a multiple"
    across = abs(scale.value) * np.sqrt(1 - cosine.value**2) / cosine.value
    return "nearly a multiple" if across <= SMALL * abs(scale.value - 1) else ""
