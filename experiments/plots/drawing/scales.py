"""Limits, ticks and labels of the axes: logarithmic, logarithmic with a lane for zero, signed logarithmic."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator
from numpy import ndarray

from experiments.plots.drawing.curves import Curve
from experiments.plots.drawing.style import GRID
from experiments.terminal.numbers import tick

__all__ = ["Limits", "log_scale", "option_scale", "sample_scale", "signed_scale"]

LANE = 0.14  # height of the lane for zero, as a part of the rest of the axis
STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 100, 150)  # decades between labels
Which = Literal["x", "y"]


class Limits(NamedTuple):
    """The limits of a logarithmic axis, and the place of a zero on it."""

    low: float
    high: float
    zero: float

    def place(self, values: ndarray) -> ndarray:
        """Where values are drawn: as they are, clipped to the axis, or in the lane for zeros."""
        return np.where(values <= 0, self.zero, np.clip(values, self.low, self.high))


def log_scale(ax: Axes, which: Which, values: ndarray, low: ndarray, high: ndarray, zero: str = "0") -> Limits:
    """Make an axis logarithmic, wide enough for the values and their intervals, with a lane for zeros at its low end.

    The lane, which only an axis with zeros has, is labelled `zero`. An interval that runs to 0 or to infinity would
    squeeze everything else: it gets three decades.
    """
    positive = values[values > 0]
    near, far = (positive.min() / 1e3, positive.max() * 1e3) if positive.size else (1.0, 1.0)
    ends = np.concatenate([positive, low, high])
    ends = ends[(ends >= near) & (ends <= far)]
    least, most = (math.log10(ends.min()), math.log10(ends.max())) if ends.size else (0.0, 0.0)
    margin = max(0.06 * (most - least), (1.0 - (most - least)) / 2)  # at least one decade, so that there are ticks
    bottom, top = least - margin, most + margin
    major, minor = _log_ticks(bottom, top) if positive.size else ([], [])
    labels = [tick(value) for value in major]
    limits = Limits(10**bottom, 10**top, 10**bottom)
    if (values <= 0).any():
        lane = LANE * (top - bottom)
        limits = Limits(10 ** (bottom - lane), 10**top, 10 ** (bottom - lane / 2))
        major, labels = [limits.zero, *major], [zero, *labels]
        span = ax.axvspan if which == "x" else ax.axhspan
        span(limits.low, 10**bottom, color=GRID, alpha=0.5, linewidth=0)
    ax.set(**{f"{which}scale": "log", f"{which}lim": limits[:2]})
    _set_ticks(ax, which, major, labels, minor)
    return limits


def _log_ticks(bottom: float, top: float) -> tuple[list[float], list[float]]:
    """Major and minor ticks between two powers of ten."""

    def ticks(multiples: Iterable[int]) -> list[float]:
        every = [math.log10(multiple) + k for k in range(math.floor(bottom), math.ceil(top)) for multiple in multiples]
        return [10**tick for tick in every if bottom <= tick <= top]

    powers = ticks([1])
    if len(powers) > 5:
        step = next(step for step in STEPS if step * 5 >= len(powers))
        labelled = [power for power in powers if round(math.log10(power)) % step == 0]
        return labelled, powers if len(powers) <= 30 else labelled
    return (powers if len(powers) > 1 else ticks([1, 3])), ticks(range(1, 10))


def _set_ticks(ax: Axes, which: Which, major: list[float], labels: list[str], minor: list[float]) -> None:
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(FixedLocator(major))
    axis.set_major_formatter(FixedFormatter(labels))
    axis.set_minor_locator(FixedLocator(minor))
    axis.set_minor_formatter(FixedFormatter([]))


def sample_scale(ax: Axes, curves: Sequence[Curve]) -> float:
    """Make the x axis a logarithmic one of numbers of samples; returns the decades that curves may be moved apart."""
    levels = np.unique(np.concatenate([curve.numbers("num_samples") for curve in curves]))
    decades = np.log10(levels)
    span = max(decades[-1] - decades[0], 1.0)
    apart = 0.4 * np.diff(decades).min() if levels.size > 1 else 0.3
    margin = 0.08 * span + apart / 2 if levels.size > 1 else span / 2
    ax.set(xscale="log", xlim=(10 ** (decades[0] - margin), 10 ** (decades[-1] + margin)))
    shown = [levels[0]]
    for level in levels[1:]:
        if math.log10(level / shown[-1]) >= span / 5:
            shown.append(level)
    _set_ticks(ax, "x", [float(level) for level in shown], [f"{level:g}" for level in shown], list(levels))
    return float(apart)


def option_scale(ax: Axes, levels: ndarray) -> float:
    """Make the x axis one of an option's values: logarithmic where they are positive and span a factor of ten.

    Returns the decades that curves may be moved apart; 0 on a linear axis.
    """
    levels = np.unique(levels)
    if levels[0] <= 0 or levels[-1] < 10 * levels[0]:
        ax.margins(x=0.08)
        return 0.0
    log_scale(ax, "x", levels, levels, levels)
    return float(0.4 * np.diff(np.log10(levels)).min())


def signed_scale(ax: Axes, values: ndarray, low: ndarray, high: ndarray) -> tuple[float, float]:
    """Make the y axis linear around 0 and logarithmic beyond, so that small and large biases both show.

    The linear part is as wide as the tighter intervals that hold 0.
    """
    ends = np.concatenate([values, low, high])
    ends = ends[np.isfinite(ends)]
    largest = float(np.abs(ends).max()) or 1e-4
    around = (low <= 0) & (high >= 0)
    widths = np.maximum(-low, high)[around] if around.any() else np.abs(values)
    widths = widths[(widths > 0) & np.isfinite(widths)]
    inner = max(float(np.quantile(widths, 0.25)) if widths.size else largest, 1e-8 * largest)
    linear = 10.0 ** math.floor(math.log10(inner))
    top, bottom = max(float(ends.max()), linear), min(float(ends.min()), -linear)
    margin = (top / linear * -bottom / linear * 100) ** 0.08
    top, bottom = top * margin, bottom * margin
    ax.set_yscale("symlog", linthresh=linear)
    ax.set_ylim(bottom, top)
    above, below = (math.floor(math.log10(end / linear) + 1e-9) for end in (top, -bottom))
    step = math.ceil((above + below + 2) / 6)
    up, down = ([linear * 10.0**k for k in range(step - 1, last + 1, step)] for last in (above, below))
    major = [*(-tick for tick in reversed(down)), 0.0, *up]
    _set_ticks(ax, "y", major, [tick(value) for value in major], [])
    return bottom, top
