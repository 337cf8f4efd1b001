"""A ranking as a table and as JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.commands.ordering import Ranked
from experiments.console import interval, number, percent, print_table, seconds
from experiments.measurement import Measurement
from experiments.statistics import Interval

__all__ = ["print_standings", "standings"]


def print_standings(ranking: Sequence[Ranked], measured: Mapping[str, Measurement], title: str) -> None:
    """A table on stdout; `measured` is by spec."""
    best = ranking[0].figure.value
    figure = "MSE × s" if measured[ranking[0].estimator].mse else "variance × s"
    columns = ["", "estimator", "verdict", "total variance", "bias/‖g‖", "time", f"{figure} [95 %]", "ratio"]
    rows = []
    for place, ranked in enumerate(ranking, start=1):
        one = measured[ranked.estimator]
        assert one.seconds_per_gradient is not None
        mark = "≈" if ranked.tied and place > 1 else str(place) if ranked.usable else ""
        verdict = "biased" if ranked.biased else one.verdict or "no reference"
        verdict = verdict if ranked.finite else "not finite"
        ratio = number(ranked.figure.value / best) if best else ""
        figures = [number(one.total_variance.value), _bias(one), seconds(one.seconds_per_gradient.value)]
        rows.append([mark, ranked.estimator, verdict, *figures, interval(*ranked.figure), ratio])
    print_table(columns, rows, title=title, right=columns[3:])


def _bias(one: Measurement) -> str:
    if one.squared_bias is None or not one.gradient_norm:
        return ""
    return percent(max(one.squared_bias.value, 0.0) ** 0.5 / one.gradient_norm)


def standings(ranking: Sequence[Ranked], measured: Mapping[str, Measurement]) -> list[dict[str, Any]]:
    """The ranking for JSON."""
    return [_entry(ranked, measured[ranked.estimator]) for ranked in ranking]


def _entry(ranked: Ranked, one: Measurement) -> dict[str, Any]:
    return {
        "estimator": ranked.estimator,
        "verdict": one.verdict,
        "claim": one.claim,
        "tied_with_best": ranked.tied,
        "nonfinite": one.nonfinite,
        "total_variance": _numbers(one.total_variance),
        "squared_bias": _numbers(one.squared_bias),
        "seconds_per_gradient": _numbers(one.seconds_per_gradient),
        "work_normalized_mse": _numbers(one.work_normalized_mse),
        "work_normalized_variance": _numbers(one.work_normalized_variance),
        "evaluations": one.evaluations,
        "warnings": one.warnings,
    }


def _numbers(interval: Interval | None) -> list[float | None] | None:
    """JSON has no NaN and no infinity."""
    return None if interval is None else [value if math.isfinite(value) else None for value in interval]
