"""The figures of a cell that no machine decides, as they are kept and as they were computed anew: p-values."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from experiments.statistics import GROUPS, ROUNDING, TOLERANCE, Interval, log_standard_error
from experiments.store.columns import Row

__all__ = ["Figure", "Found", "figures"]

LINEAR = ("squared_bias", "snr", "cosine", "scale", "mean_cosine", "batch_share")
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}
HEAVY = "heavy tails"
"""How the warning begins that no interval of a variance can be relied upon."""
SAME = ("claim", "target", "evaluations")
"""Columns without noise."""


@dataclass(frozen=True)
class Found:
    """What is known of a cell."""

    row: Row
    parameters: Sequence[Row]
    signals: Sequence[Row]


@dataclass(frozen=True)
class Figure:
    """A figure, and how often chance alone would set both sides so far apart."""

    name: str
    kept: str
    here: str
    p_value: float


def figures(kept: Found, here: Found) -> Iterator[Figure]:
    """All that both sides know; the entries of a parameter's means, and of its variances, are one figure each."""
    for name in SAME:
        if kept.row[name] != here.row[name]:
            yield Figure(name, str(kept.row[name]), str(here.row[name]), 0.0)
    if kept.row["optimizer"] is not None:
        yield from _trained(kept.row, here.row)
        return
    floor = _floor(kept, here)
    yield from _finite(kept.row, here.row)
    yield from _verdicts(kept.row, here.row)
    yield from _means(kept, here, floor)
    for name in LINEAR:
        if _both(kept.row, here.row, name):
            yield _linear(name, *_sides(kept.row, here.row, name))
    if HEAVY not in (here.row["warnings"] or ""):
        yield from _variances(kept, here, floor)


def _trained(kept: Row, here: Row) -> Iterator[Figure]:
    """The objective after the last step, and how many seeds diverged."""
    freedom = max(min(kept["replicates"] or 0, here["replicates"]) - 1, 1)
    yield _shares("diverged", kept, here)
    if _both(kept, here, "objective"):
        yield _linear("objective", *_sides(kept, here, "objective"), freedom)


def _variances(kept: Found, here: Found, floor: float) -> Iterator[Figure]:
    """Ratios of positive figures; what is below rounding is alike."""
    for name in ("total_variance", "mse"):
        if _both(kept.row, here.row, name):
            yield _positive(name, *_sides(kept.row, here.row, name), floor**2)
        elif kept.row["nonfinite"] == here.row["nonfinite"] and here.row[name] is not None and name != "mse":
            yield Figure(name, "missing", _shown(Interval.of(here.row, name)), 0.0)
    for table, name, keys in (("parameters", "variance", ENTRY), ("signals", "total_variance", ENTRY[:1])):
        pairs = _paired(getattr(kept, table), getattr(here, table), keys)
        yield _worst(
            f"{name} in {table}",
            [_positive(where, *_sides(one, two, name), floor**2) for where, one, two in pairs if _both(one, two, name)],
        )


ENTRY = ("parameter", "index")


def _means(kept: Found, here: Found, floor: float) -> Iterator[Figure]:
    """The mean estimates, entry by entry: what the bias is made of."""
    if {_name(row, ENTRY) for row in kept.parameters} != {_name(row, ENTRY) for row in here.parameters}:
        yield Figure("entries of the parameters", f"{len(kept.parameters)}", f"{len(here.parameters)}", 0.0)
        return
    replicates = kept.row["replicates"], here.row["replicates"]
    yield _worst(
        "mean",
        [
            _mean(where, one, two, replicates, floor)
            for where, one, two in _paired(kept.parameters, here.parameters, ENTRY)
            if None not in (one["mean"], two["mean"], one["variance"], two["variance"])
        ],
    )


def _mean(where: str, one: Row, two: Row, replicates: tuple[int, int], floor: float) -> Figure:
    noise = sum(row["variance"] / count for row, count in zip((one, two), replicates, strict=True))
    error, difference = math.sqrt(noise + floor**2), abs(one["mean"] - two["mean"])
    p_value = _two_sided(difference / error) if error else float(not difference)
    return Figure(where, f"{one['mean']:.6g}", f"{two['mean']:.6g}", p_value)


def _verdicts(kept: Row, here: Row) -> Iterator[Figure]:
    """A bias that is denied, and is seen here."""
    if (kept["verdict"], here["verdict"]) == ("unbiased", "biased") and here["gradient_norm"]:
        bias = (here["squared_bias_low"] or 0.0) > (TOLERANCE * here["gradient_norm"]) ** 2
        yield Figure("verdict", "unbiased", "biased", here["p_value"] if bias else 1.0)


def _finite(kept: Row, here: Row) -> Iterator[Figure]:
    if kept["nonfinite"] or here["nonfinite"]:
        yield _shares("nonfinite", kept, here)


def _shares(name: str, kept: Row, here: Row) -> Figure:
    """How many replicates, or seeds, met something (Fisher's exact test)."""
    sides = [(row[name] or 0, max(row["replicates"] or 0, row[name] or 0)) for row in (kept, here)]
    found: Any = stats.fisher_exact([[some, of - some] for some, of in sides])
    kept_as, here_as = (f"{some} of {of}" for some, of in sides)
    return Figure(name, kept_as, here_as, float(found.pvalue))


def _positive(name: str, kept: Interval, here: Interval, floor: float) -> Figure:
    """By the logarithm of their ratio."""
    values = [max(side.value, floor) for side in (kept, here)]
    told = name, _shown(kept), _shown(here)
    if values[0] == values[1]:
        return Figure(*told, 1.0)
    if min(values) <= 0 or not all(map(math.isfinite, values)):
        return Figure(*told, float(math.inf in (kept.high, here.high) and math.isfinite(kept.value)))
    with np.errstate(all="ignore"):
        error = math.hypot(*(log_standard_error(side) if side.value > floor else 0.0 for side in (kept, here)))
    shift = abs(math.log(values[1] / values[0]))
    return Figure(*told, 1.0 if not math.isfinite(error) else _two_sided(shift / error) if error else 0.0)


def _linear(name: str, kept: Interval, here: Interval, freedom: int = GROUPS - 1) -> Figure:
    """By the arms of the intervals that reach towards each other."""
    below, above = sorted((kept, here))
    told = name, _shown(kept), _shown(here)
    arms = math.hypot(below.high - below.value, above.value - above.low)
    difference = above.value - below.value
    if not difference or not math.isfinite(arms):
        return Figure(*told, 1.0)
    quantile = float(stats.t.ppf(0.975, freedom))
    return Figure(*told, _two_sided(quantile * difference / arms, freedom) if arms else 0.0)


def _worst(name: str, found: Sequence[Figure]) -> Figure:
    """The figure that is furthest apart, its p-value corrected for the number of them."""
    if not found:
        return Figure(name, "", "", 1.0)
    worst = min(found, key=lambda figure: figure.p_value)
    return Figure(f"{name} of {worst.name}", worst.kept, worst.here, min(1.0, worst.p_value * len(found)))


def _two_sided(score: float, freedom: int = GROUPS - 1) -> float:
    return 2 * float(stats.t.sf(score, freedom))


def _floor(kept: Found, here: Found) -> float:
    """What rounding may move an entry by."""
    squares = [row["mean"] ** 2 for side in (kept, here) for row in side.parameters if row["mean"] is not None]
    norm = math.sqrt(sum(squares)) if math.isfinite(sum(squares)) else 0.0
    return ROUNDING * EPSILON.get(kept.row["dtype"], 0.0) * max(norm, here.row["gradient_norm"] or 0.0)


def _both(kept: Row, here: Row, name: str) -> bool:
    return None not in (*Interval.of(kept, name), *Interval.of(here, name))


def _sides(kept: Row, here: Row, name: str) -> tuple[Interval, Interval]:
    return Interval.of(kept, name), Interval.of(here, name)


def _paired(kept: Sequence[Row], here: Sequence[Row], keys: Sequence[str]) -> list[tuple[str, Row, Row]]:
    """The rows of both sides that are of one entry."""
    known: Mapping[str, Any] = {_name(row, keys): row for row in here}
    return [(name, row, known[name]) for row in kept if (name := _name(row, keys)) in known]


def _name(row: Row, keys: Sequence[str]) -> str:
    parameter, *index = (row[key] for key in keys)
    return f"{parameter}{index}" if index and index[0] is not None else str(parameter)


def _shown(interval: Interval) -> str:
    value, low, high = interval
    return f"{value:.4g} [{low:.4g}, {high:.4g}]"
