"""What a published figure is of: from measurements to the quantity, with its interval."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from experiments.measuring.measurement import Measurement
from experiments.statistics import Interval, fit_power_law, sample_mean
from experiments.sweep import Published

__all__ = ["MEASURED_AS", "quantity"]

UNKNOWN = Interval(math.nan, -math.inf, math.inf)
NORMAL = 1.96
"""The quantile for the slope of a fit, whose standard error is inflated where points scatter by more than theirs."""


def quantity(found: Sequence[Measurement], row: Published) -> Interval:
    """What a row is about, from the measurements of its cells, in the units of the publication."""
    return MEASURED_AS[row.quantity](found, row)


def _total_variance(found: Sequence[Measurement], row: Published) -> Interval:
    (one,) = found
    of = one.signals[row.parameter].total_variance if row.parameter else one.total_variance
    return _scaled(of, row.gradient_scale**2)


def _variance(found: Sequence[Measurement], row: Published) -> Interval:
    (one,) = found
    entries = sum(value.size for name, value in one.mean.items() if row.parameter in ("", name))
    return _scaled(_total_variance(found, row), 1 / entries)


def _standard_deviation(found: Sequence[Measurement], row: Published) -> Interval:
    return Interval(*(math.sqrt(value) for value in _total_variance(found, row)))


def _gradient(found: Sequence[Measurement], row: Published) -> Interval:
    (one,) = found
    names = list(one.mean)
    before = names[: names.index(row.parameter)] if row.parameter else []
    index = sum(one.mean[name].size for name in before) + row.entry
    return _scaled(sample_mean(one.groups.mean[:, index]), row.gradient_scale)


def _snr_rate(found: Sequence[Measurement], row: Published) -> Interval:
    """A point whose signal is not seen takes no part in the fit."""
    ratios = [one.signals[row.parameter].snr if row.parameter else one.snr for one in found]
    seen = [(one.num_samples, ratio) for one, ratio in zip(found, ratios, strict=True) if ratio is not None]
    law = fit_power_law(np.array([samples for samples, _ in seen], float), [ratio for _, ratio in seen])
    if law is None:
        return UNKNOWN
    half = NORMAL * law.standard_error
    return Interval(law.exponent, law.exponent - half, law.exponent + half)


def _scaled(interval: Interval, factor: float) -> Interval:
    low, high = sorted((interval.low * factor, interval.high * factor))
    return Interval(interval.value * factor, low, high)


MEASURED_AS: dict[str, Callable[[Sequence[Measurement], Published], Interval]] = {
    "total-variance": _total_variance,
    "variance": _variance,
    "standard-deviation": _standard_deviation,
    "gradient": _gradient,
    "snr-rate": _snr_rate,
}
"""By `experiments.sweep.published.QUANTITIES`."""
