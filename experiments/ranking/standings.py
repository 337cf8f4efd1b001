"""A ranking as a table of text, as rows for JSON and as a pandas frame."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pandas import DataFrame

from experiments.measuring.measurement import Measurement
from experiments.ranking.entries import Standing, quantity
from experiments.ranking.fits import time_and_fit
from experiments.ranking.order import PLAIN, UNITS, By, Ranked
from experiments.statistics import Interval, relative_bias
from experiments.terminal.labels import labels
from experiments.terminal.numbers import about, interval, number
from experiments.terminal.tables import fitting, table_for_terminal, terminal_width
from experiments.terminal.words import bias, rescaled, verdict

__all__ = ["as_frame", "as_rows", "as_text"]

FIGURE = "figure"
"""The column of what is ranked by."""
NAME = 28
"""Characters of an estimator beyond which it is folded where room is short."""
MOST, MOST_ASIDE, FEW = 12, 3, 2
"""Rows of a table that is not whole: with places, without them; so few more are shown, too."""
DROPPED = ("evaluations", "total variance", "bias/‖g‖", "time")
"""Columns that a narrow terminal does without, the least important first."""


def as_text(standings: Sequence[Standing], title: str, by: By, *, whole: bool) -> str:
    """The table for the width of a terminal: where that is narrow, with half-widths in place of intervals, and without
    the columns that matter least. Unless it shall be whole, with the rows that a choice is made from.
    """
    found = [standing.one for standing in standings]
    samples = {one.num_samples for one in found}
    elsewhere = by == "evaluations" or any(one.evaluations != one.num_samples for one in found)
    columns = ["place", "estimator", *(["S"] if len(samples) > 1 else []), "verdict", "total variance"]
    columns += ["bias/‖g‖", *(["time"] if by == "seconds" else []), *(["evaluations"] if elsewhere else [])]
    figure = f"{quantity((one.target, one.mse is not None) for one in found)} × {UNITS[by]}"
    named, width = labels(one.estimator for one in found), terminal_width()
    places = range(1, len(standings) + 1) if whole else _chosen(standings)
    for heading, form in ((f"{figure} [95 %]", interval), (figure, about), (figure, _alone)):
        headings = [*columns, heading, "ratio"]
        table = [_row(place, standings[place - 1], standings[0].ranked, named, form) for place in places]
        rows = [[row.get(column, row[FIGURE]) for column in headings] for row in table]
        droppable = [one for one in DROPPED if one in headings]
        kept = fitting(headings, rows, width, droppable, {"estimator": NAME})
        if len(kept) == len(headings) or (form is about and len(kept) > len(headings) - len(droppable)):
            break
    shown = [headings[place] for place in kept]
    right = [heading for heading in shown if heading not in ("place", "estimator", "verdict")]
    text = table_for_terminal(shown, [[row[place] for place in kept] for row in rows], title=title, right=right)
    left_out = len(standings) - len(places)
    return text + (f"\n… and {left_out} more, which --all shows" if left_out else "")


def _chosen(standings: Sequence[Standing]) -> list[int]:
    """The places of the best, of the plain estimators, and of the first ones that have none; all, if that is few."""
    usable = [place for place, one in enumerate(standings, start=1) if one.ranked.usable]
    aside = [place for place, one in enumerate(standings, start=1) if not one.ranked.usable]
    first = {standings[place - 1].one.estimator: place for place in reversed(usable)}
    plain = [first[name] for name in PLAIN if name in first]
    chosen = sorted({*usable[:MOST], *plain}) + aside[: MOST_ASIDE if usable else MOST]
    return chosen if len(chosen) + FEW < len(standings) else list(range(1, len(standings) + 1))


def _alone(value: float | None, low: float | None, high: float | None) -> str:
    return number(value)


def _row(
    place: int, standing: Standing, best: Ranked, named: Mapping[str, str], form: Callable[..., str]
) -> dict[str, str]:
    ranked, one = standing
    mark = f"{place} ≈" if ranked.tied and place > 1 else str(place) if ranked.usable else ranked.aside
    other = ranked.aside == "other objective"
    ratio = _ratio(ranked, best)
    return {
        "place": mark,
        "estimator": named[one.estimator],
        "S": number(one.num_samples),
        "verdict": _verdict(one),
        "total variance": number(one.total_variance.value),
        "bias/‖g‖": _bias(one),
        "time": time_and_fit(one),
        "evaluations": number(one.evaluations),
        FIGURE: "" if other else form(*ranked.figure),
        "ratio": "" if other or ratio is None else number(ratio),
    }


def _verdict(one: Measurement) -> str:
    """What was found, and of a bias whether it is claimed; that one is claimed and not found, the place says."""
    if one.verdict != "biased":
        return verdict(one.verdict)
    return "biased, as claimed" if one.claim == "biased" else "biased, against its claim"


def _bias(one: Measurement) -> str:
    told = rescaled(one.verdict, one.scale, one.mean_cosine)
    scale = f" ({number(one.scale.value)} × g)" if told and one.scale else ""
    return bias(relative_bias(one.squared_bias, one.gradient_norm)) + scale


def _ratio(ranked: Ranked, best: Ranked) -> float | None:
    known = ranked.comparable and best.figure.value > 0
    return ranked.figure.value / best.figure.value if known else None


def as_rows(standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """The ranking for JSON."""
    best = standings[0].ranked
    return [_facts(*one, best) | {name: _numbers(value) for name, value in _figures(*one).items()} for one in standings]


def as_frame(standings: Sequence[Standing]) -> DataFrame:
    """The ranking as a frame; an interval is three columns: its value, `_low` and `_high`."""
    rows = []
    for place, one in enumerate(standings, start=1):
        rows.append({"place": place if one.ranked.usable else None} | _facts(*one, standings[0].ranked))
        for name, value in _figures(*one).items():
            rows[-1] |= Interval.entries(name, value)
    return DataFrame(rows)


def _facts(ranked: Ranked, one: Measurement, best: Ranked) -> dict[str, Any]:
    return {
        "estimator": ranked.estimator,
        "num_samples": one.num_samples,
        "usable": ranked.usable,
        "verdict": one.verdict,
        "claim": one.claim,
        "target": one.target,
        "aside": ranked.aside,
        "tied_with_best": ranked.tied,
        "ratio_to_best": _ratio(ranked, best),
        "replicates": one.replicates,
        "nonfinite": one.nonfinite,
        "rescaled": rescaled(one.verdict, one.scale, one.mean_cosine),
        "fit_seconds": one.fit_seconds if one.fitted else None,
        "evaluations": one.evaluations,
        "warnings": one.warnings,
    }


def _figures(ranked: Ranked, one: Measurement) -> dict[str, Interval | None]:
    return {
        "figure": ranked.figure,
        "ratio_interval": ranked.ratio,
        "total_variance": one.total_variance,
        "mse": one.mse,
        "squared_bias": one.squared_bias,
        "scale": one.scale,
        "mean_cosine": one.mean_cosine,
        "seconds_per_gradient": one.seconds_per_gradient,
        "work_normalized_mse": one.work_normalized_mse,
        "work_normalized_variance": one.work_normalized_variance,
    }


def _numbers(interval: Interval | None) -> list[float | None] | None:
    """JSON has no NaN and no infinity."""
    return None if interval is None else [value if math.isfinite(value) else None for value in interval]
