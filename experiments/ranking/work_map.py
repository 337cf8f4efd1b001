"""Which estimator is how much worse than the best, problem by problem: multiples of the best error for the time."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pandas import DataFrame, isna

from experiments.ranking.stored import Ranking
from experiments.terminal.labels import labels
from experiments.terminal.numbers import multiple
from experiments.terminal.tables import fitting, hanging, text_table

__all__ = ["NOT_MEASURED", "MapTable", "WorkMap", "map_of", "map_table", "map_text"]

NOT_MEASURED = "\N{EN DASH}"
MOST_ROWS, MOST_COLUMNS = 12, 12
"""What a map in text shows at the most: estimators, the best first, and problems."""
NAME = "estimator"
HOTTEST = 4


class WorkMap(NamedTuple):
    """Two frames, estimators × problems; the estimators are ordered by their median."""

    ratios: DataFrame
    """MSE × time at the best S, relative to the best estimator of the problem; NaN: not measured there."""
    biased: DataFrame
    """Whether the estimator is biased there, by its own claim or as it was found."""


class MapTable(NamedTuple):
    """The map as text: what the numbers are, its headings, and a row for each estimator, the best first."""

    caption: str
    columns: list[str]
    rows: list[list[str]]
    heat: list[list[str]]
    """The decade of each number, "1" to "4"; "0" of the best of its problem; "": not measured."""


def map_of(found: Sequence[Ranking]) -> WorkMap:
    """The map of some rankings; a problem that is ranked by variance has it in its name."""
    ratios: dict[str, dict[str, float]] = {}
    biased: dict[str, dict[str, bool]] = {}
    for ranking in found:
        panel = ranking.problem + (" (variance × time)" if ranking.quantity == "variance" else "")
        shown = [one for one in ranking.placed if one.ranked.comparable]
        best = min((one.ranked.figure.value for one in shown if one.ranked.usable), default=0.0)
        # What is best with an error of zero would make all others infinite: they are compared with the least of them.
        unit = best or min((one.ranked.figure.value for one in shown if one.ranked.figure.value > 0), default=1.0)
        for one in reversed(shown):  # of several devices the best stays
            ratios.setdefault(panel, {})[one.ranked.estimator] = one.ranked.figure.value / unit
            biased.setdefault(panel, {})[one.ranked.estimator] = one.ranked.biased
    frame, wrong = DataFrame(ratios), DataFrame(biased)
    order = frame.median(axis=1).sort_values(kind="stable").index
    return WorkMap(frame.loc[order], wrong.loc[order].eq(True))


def map_table(found: Sequence[Ranking]) -> MapTable | None:
    """The map as text; None where it would compare nothing: one estimator, one problem, or very many problems."""
    ratios, biased = map_of(found)
    if not (len(ratios) > 1 and 1 < len(ratios.columns) <= MOST_COLUMNS):
        return None
    named, problems = labels(ratios.index), labels(ratios.columns)
    rows = [
        [named[name], *(_text(ratios.loc[name, column], biased.loc[name, column]) for column in ratios.columns)]
        for name in ratios.index
    ]
    marks = {
        "0: no noise (1.0: the best of the others)": ratios.eq(0).to_numpy().any(),
        "( ): biased": biased.to_numpy().any(),
        f"{NOT_MEASURED}: not measured": ratios.isna().to_numpy().any(),
    }
    by = "MSE" if any(ranking.quantity == "MSE" for ranking in found) else "variance"
    told = f"{by} × time at the best number of samples S, as a multiple of the best on the problem"
    told = "; ".join([told, *(mark for mark, there in marks.items() if there)])
    heat = [[_heat(*pair) for pair in zip(row, ratios.min(), strict=True)] for row in ratios.to_numpy()]
    return MapTable(told, [NAME, *(problems[name] for name in ratios.columns)], rows, heat)


def map_text(found: Sequence[Ranking], width: int | None) -> str:
    """The map in lines of a width: the best estimators, as many problems as there is room for; '' where it is none."""
    if (table := map_table(found)) is None:
        return ""
    columns, rows = table.columns, table.rows[:MOST_ROWS]
    kept = fitting(columns, rows, width, columns[:1:-1])
    shown, headings = [[row[place] for place in kept] for row in rows], [columns[place] for place in kept]
    more = _left_out(len(table.rows) - len(rows), len(columns) - len(kept))
    caption = hanging("", f"{table.caption}:", "", width)
    return "\n".join([caption, text_table(headings, shown, right=headings[1:], width=width), *more])


def _text(ratio: float, biased: bool) -> str:
    if isna(ratio):
        return NOT_MEASURED
    text = "0" if ratio == 0 else multiple(ratio)
    return f"({text})" if biased else text


def _heat(ratio: float, least: float) -> str:
    if isna(ratio) or ratio == least:
        return "" if isna(ratio) else "0"
    return str(min(max(math.ceil(math.log10(ratio)), 1), HOTTEST))


def _left_out(estimators: int, problems: int) -> list[str]:
    counts = {"estimator": estimators, "problem": problems}
    more = " and ".join(f"{count} {what}{'s' if count > 1 else ''}" for what, count in counts.items() if count)
    return [f"… and {more} more, which the report has"] if more else []
