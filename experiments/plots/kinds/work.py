"""Which estimator is how much worse than the best, problem by problem: a map of work-normalized errors."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from pandas import DataFrame

from experiments.plots.contents import along_samples, timed
from experiments.plots.drawing.curves import by_numbers
from experiments.plots.drawing.page import notice, page_width, settle
from experiments.plots.drawing.style import paper_style, wrap
from experiments.plots.kind import Kind, Request
from experiments.ranking.stored import Ranking, comparable, rankings
from experiments.ranking.work_map import NOT_MEASURED, WorkMap, map_of
from experiments.store import Run
from experiments.terminal.labels import labels
from experiments.terminal.numbers import multiple

__all__ = ["KIND"]

COLOURS = "cividis_r"
MOST = 4.0
"""Decades beyond which all look alike."""
TINY = 1e-300
"""What no noise at all is drawn as."""
NAMES, COLUMN, ROW, LINE = 2.3, 0.45, 0.2, 0.11  # inches: names, a problem, an estimator, one more line of a name
CHARACTERS, LONGEST = 40, 64


class Work(Kind):
    """MSE × time of each estimator on each problem, at its best S, relative to the best estimator of the problem.

    Without `exact`, and without estimators of another objective. By variance × time on a problem where no cell has a
    reference; such a column says so. In parentheses: biased, by its own claim or as it was found. Estimators are
    ordered by their median.
    """

    def suits(self, run: Run) -> bool:
        """Several estimators on several problems, so that a map of them has something to compare."""
        cells = run.measured
        ranked = comparable(cells)
        crossed = len(set(ranked["estimator"])) > 1 and len(set(ranked["measured_on"])) > 1
        return along_samples(run) and timed(cells) and crossed

    def draw(self, run: Run, request: Request) -> Figure:
        ratios, biased = _ratios(rankings(run))
        samples = set(comparable(run.measured)["num_samples"])
        where = f"S = {samples.pop()}" if len(samples) == 1 else "the best S"
        with paper_style():
            if ratios.empty:
                return notice("nothing to draw: no cell is done, timed and has a finite error", request.title)
            return _draw(ratios, biased, _caption(ratios, biased, where), request.title)


KIND = Work(
    title="Error for the time",
    caption="MSE × time of each estimator at its best number of samples, as a multiple of the best on the same "
    "problem. Small is better; in parentheses: biased.",
    place=80,
)


def _ratios(found: list[Ranking]) -> WorkMap:
    """The map, its problems in the order of the numbers in them."""
    ratios, biased = map_of(found)
    columns = sorted(ratios.columns, key=by_numbers)
    return WorkMap(ratios.loc[:, columns], biased.loc[:, columns])


def _draw(ratios: DataFrame, biased: DataFrame, caption: str, title: str | None) -> Figure:
    rows = [wrap(name, CHARACTERS) for name in labels(ratios.index).values()]
    columns = [wrap(name, LONGEST, max_lines=1) for name in labels(ratios.columns).values()]
    heights = [ROW + LINE * name.count("\n") for name in rows]
    slanted = 0.04 * max(map(len, columns))
    width = max(page_width(), NAMES + COLUMN * len(columns))
    figure = Figure(figsize=(width, sum(heights) + slanted + 0.6 + (0.3 if title else 0)), layout="constrained")
    ax = figure.add_subplot()
    edges = np.concatenate([[0.0], np.cumsum(heights)])
    decades = np.log10(np.maximum(ratios.to_numpy(float), TINY))
    norm = Normalize(0.0, min(max(float(np.nanmax(decades)), 1.0), MOST), clip=True)
    ax.pcolormesh(np.arange(len(columns) + 1), edges, decades, norm=norm, cmap=COLOURS, edgecolors="face")
    ax.set(ylim=(edges[-1], 0.0), yticks=(edges[1:] + edges[:-1]) / 2, xticks=np.arange(len(columns)) + 0.5)
    ax.set_yticklabels(rows)
    ax.xaxis.tick_top()
    ax.set_xticklabels(columns, rotation=45, ha="left", rotation_mode="anchor")
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    _write(ax, edges, ratios.to_numpy(float), biased.to_numpy(), norm)
    figure.supxlabel(wrap(caption, 110))
    if title:
        figure.suptitle(wrap(title, 120))
    settle(figure)
    return figure


def _caption(ratios: DataFrame, biased: DataFrame, where: str) -> str:
    found = f"MSE × time at {where}, as a multiple of the best on the problem"
    found += "; ( ): biased" if biased.to_numpy().any() else ""
    return found + (f"; {NOT_MEASURED}: not measured" if ratios.isna().to_numpy().any() else "")


def _write(ax: Axes, edges: np.ndarray, ratios: np.ndarray, biased: np.ndarray, norm: Normalize) -> None:
    """The numbers, black or white for the contrast; not in the ink of the page, which a dark page exchanges."""
    for (i, j), ratio in np.ndenumerate(ratios):
        place = (j + 0.5, float(edges[i] + edges[i + 1]) / 2)
        if np.isnan(ratio):
            ax.text(*place, NOT_MEASURED, ha="center", va="center")
            continue
        red, green, blue, _ = matplotlib.colormaps[COLOURS](norm(np.log10(max(ratio, TINY))))
        ink = "#ffffff" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.45 else "#000000"
        text = f"({multiple(ratio)})" if biased[i, j] else multiple(ratio)
        ax.text(*place, text, ha="center", va="center", color=ink)
