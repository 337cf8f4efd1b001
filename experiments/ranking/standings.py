"""A ranking as a table and as JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.measuring.measurement import Measurement
from experiments.ranking.entries import quantity
from experiments.ranking.fits import time_and_fit
from experiments.ranking.order import Ranked
from experiments.statistics import Interval, relative_bias
from experiments.terminal.numbers import interval, number
from experiments.terminal.tables import print_table
from experiments.terminal.words import bias, rescaled, verdict

__all__ = ["print_standings", "standings"]


def print_standings(ranking: Sequence[Ranked], measured: Mapping[str, Measurement], title: str) -> None:
    """A table on stdout; `measured` is by spec."""
    name = f"{quantity(one.mse is not None for one in measured.values())} × s [95 %]"
    columns = ["place", "estimator", "claim", "verdict", "total variance", "bias/‖g‖", "time", name, "ratio"]
    rows = [_row(place, one, measured[one.estimator], ranking[0]) for place, one in enumerate(ranking, start=1)]
    print_table(columns, rows, title=title, right=columns[4:])


def _row(place: int, ranked: Ranked, one: Measurement, best: Ranked) -> list[str]:
    assert one.seconds_per_gradient is not None
    mark = f"{place} ≈" if ranked.tied and place > 1 else str(place) if ranked.usable else ranked.aside
    shown = [mark, ranked.estimator, one.claim, verdict(one.verdict), number(one.total_variance.value)]
    shown += [_bias(one), time_and_fit(one)]
    if ranked.aside == "other objective":
        return [*shown, "", ""]
    ratio = _ratio(ranked, best)
    return [*shown, interval(*ranked.figure), "" if ratio is None else number(ratio)]


def _bias(one: Measurement) -> str:
    told = rescaled(one.verdict, one.scale, one.mean_cosine)
    scale = f" ({number(one.scale.value)} × g)" if told and one.scale else ""
    return bias(relative_bias(one.squared_bias, one.gradient_norm)) + scale


def _ratio(ranked: Ranked, best: Ranked) -> float | None:
    known = ranked.comparable and best.figure.value > 0
    return ranked.figure.value / best.figure.value if known else None


def standings(ranking: Sequence[Ranked], measured: Mapping[str, Measurement]) -> list[dict[str, Any]]:
    """The ranking for JSON."""
    return [_entry(ranked, measured[ranked.estimator], ranking[0]) for ranked in ranking]


def _entry(ranked: Ranked, one: Measurement, best: Ranked) -> dict[str, Any]:
    return {
        "estimator": ranked.estimator,
        "usable": ranked.usable,
        "verdict": one.verdict,
        "claim": one.claim,
        "target": one.target,
        "aside": ranked.aside,
        "tied_with_best": ranked.tied,
        "ratio_to_best": _ratio(ranked, best),
        "ratio_interval": _numbers(ranked.ratio),
        "replicates": one.replicates,
        "nonfinite": one.nonfinite,
        "total_variance": _numbers(one.total_variance),
        "squared_bias": _numbers(one.squared_bias),
        "scale": _numbers(one.scale),
        "mean_cosine": _numbers(one.mean_cosine),
        "rescaled": rescaled(one.verdict, one.scale, one.mean_cosine),
        "seconds_per_gradient": _numbers(one.seconds_per_gradient),
        "fit_seconds": one.fit_seconds if one.fitted else None,
        "work_normalized_mse": _numbers(one.work_normalized_mse),
        "work_normalized_variance": _numbers(one.work_normalized_variance),
        "evaluations": one.evaluations,
        "warnings": one.warnings,
    }


def _numbers(interval: Interval | None) -> list[float | None] | None:
    """JSON has no NaN and no infinity."""
    return None if interval is None else [value if math.isfinite(value) else None for value in interval]
