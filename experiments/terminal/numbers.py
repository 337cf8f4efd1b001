"""Numbers as people read them."""

import math

__all__ = ["duration", "interval", "number", "percent", "seconds", "time_unit"]

UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def number(value: float | None) -> str:
    """Four significant digits; '' where there is no number."""
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def percent(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{100 * value:,.0f} %" if 9.95 <= 100 * value < 1e6 else f"{100 * value:.2g} %"


def seconds(value: float | None) -> str:
    """A duration with its unit."""
    if value is None or math.isnan(value):
        return ""
    unit, size = time_unit(value)
    return f"{value / size:.3g} {unit}"


def time_unit(value: float) -> tuple[str, float]:
    """The unit of a duration and its seconds, for three digits: 999.7 µs are 1 ms."""
    return next((pair for pair in UNITS if value >= 0.9995 * pair[1]), UNITS[-1])


def duration(value: float) -> str:
    """A long duration: 12 s, 5 min, 3 h."""
    if value >= 5400:
        return f"{value / 3600:.0f} h"
    return f"{value / 60:.0f} min" if value >= 90 else f"{value:.0f} s"


def interval(value: float, low: float, high: float) -> str:
    """`value [low, high]`; '' where there is no value."""
    return "" if math.isnan(value) else f"{value:.4g} [{low:.3g}, {high:.3g}]"
