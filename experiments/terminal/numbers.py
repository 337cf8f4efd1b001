"""Numbers as people read them: on the terminal, in the report, in figures. '' stands for a number that is missing."""

import math

__all__ = ["about", "duration", "interval", "megabytes", "multiple", "number", "percent", "plus_minus"]
__all__ += ["seconds", "tick"]

UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None) -> str:
    """A count as it is, anything else with three significant digits."""
    if value is None or math.isnan(value):
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if 999.5 <= abs(value) < 99_999.5 else f"{value:.3g}".replace("inf", "∞")


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """`value [low, high]`, or the value alone where it has no bounds."""
    ends = number(low), number(high)
    return f"{number(value)} [{ends[0]}, {ends[1]}]" if number(value) and all(ends) else number(value)


def about(value: float | None, low: float | None, high: float | None) -> str:
    """`152 ± 2 %`: the value, and the longer arm of its interval as a part of it."""
    if not value or low is None or high is None or not math.isfinite(high - low):
        return interval(value, low, high) if value else number(value)
    return f"{number(value)} ± {percent(max(value - low, high - value) / abs(value))}"


def plus_minus(value: float, half: float) -> str:
    """`152.3 ± 1.2`: the half-width with two digits, and the value as far as these reach; '' where it is missing."""
    if math.isnan(value) or math.isinf(half) or math.isnan(half):
        return number(value)
    if half == 0:
        return f"{value:,.6g} ± 0"
    decimals = 1 - math.floor(math.log10(half))
    shown = [round(one, decimals) for one in (value, half)]
    return " ± ".join(f"{one:,.{min(max(decimals, 0), 12)}f}" for one in shown)


def percent(value: float | None) -> str:
    """A part of one as per cent, with two digits."""
    if value is None or math.isnan(value):
        return ""
    return f"{100 * value:,.0f} %" if 9.95 <= 100 * value < 1e6 else f"{100 * value:.2g} %"


def seconds(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A time, with its interval if there is one, in the unit that suits it: 999.7 µs are 1 ms."""
    if value is None or math.isnan(value):
        return ""
    unit, size = next((pair for pair in UNITS if value >= 0.9995 * pair[1]), UNITS[-1])
    return f"{interval(value / size, *(None if end is None else end / size for end in (low, high)))} {unit}"


def duration(value: float) -> str:
    """A long time, roughly: 12 s, 5 min, 3 h."""
    if value >= 5400:
        return f"{value / 3600:.0f} h"
    return f"{value / 60:.0f} min" if value >= 90 else f"{value:.0f} s"


def megabytes(value: float | None) -> str:
    """A number of bytes in units of 10⁶, with one decimal."""
    return "" if value is None or math.isnan(value) else f"{value / 1e6:,.1f}"


def tick(value: float) -> str:
    """One digit and a power of ten, for an axis: 0, 1, 20, 10⁻³, 2·10⁵; negative ones with a true minus sign."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    digit = round(abs(value) / 10.0**exponent)
    if digit == 10:
        digit, exponent = 1, exponent + 1
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    if exponent in (0, 1):
        return f"{sign}{digit * 10**exponent}"
    power = "10" + str(exponent).translate(SUPERSCRIPTS)
    return sign + (power if digit == 1 else f"{digit}·{power}")


def multiple(value: float) -> str:
    """How many times as large, by two digits in few characters: 2.5, 40, 883, 3,500, 2·10⁵."""
    if value >= 99_500 or value == 0:
        return tick(value)
    if value >= 999.5:
        return f"{round(value, -2 if value < 9_950 else -3):,.0f}"
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
