"""Size, direction and noise of policy gradients, a row for each recipe."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from pandas import DataFrame

from experiments.plots.drawing.page import notice, page_width, settle
from experiments.plots.drawing.style import INK, looks, paper_style, wrap
from experiments.plots.kind import Kind, Request
from experiments.statistics import Interval
from experiments.store import Run
from experiments.terminal.labels import labels

__all__ = ["KIND"]

ROW, AROUND = 0.17, 0.6  # inches: a recipe, and what is above and below the rows of a problem
NOTHING = "nothing to draw: no policy gradient is done whose exact gradient is known"
POLICY = "policy-gradient"
RIGHT = {"color": INK, "linewidth": 0.8}
SIZE, ANGLE, NOISE = (
    "size\n(1 is right)",
    "angle to the gradient\n[degrees]",
    "noise of one estimate,\nover the gradient",
)


class Recipes(Kind):
    """The mean of each policy gradient, as a multiple of the gradient and by its angle to it, and its noise.

    A block of rows for each problem, a mark for each num_samples.
    """

    def suits(self, run: Run) -> bool:
        return not _cells(run).empty

    def draw(self, run: Run, request: Request) -> Figure:
        cells = _cells(run)
        with paper_style():
            return notice(NOTHING, request.title) if cells.empty else _drawn(cells, request.title)


KIND = Recipes(
    title="What each recipe computes",
    caption="Of each policy gradient its mean, as a multiple of the gradient (size) and as the angle between both, and "
    "the root of its total variance over the norm of the gradient, with 95 % intervals. A wrong size is a matter of "
    "the learning rate, a wrong angle is not.",
    place=48,
)


def _cells(run: Run) -> DataFrame:
    """The cells whose gradient is known and not zero, where a policy gradient is among them."""
    cells = run.measured
    known = cells.query("scale.notna() and mean_cosine.notna() and gradient_norm > 0")
    return known if any(name.startswith(POLICY) for name in known["estimator"]) else known.head(0)


def _drawn(cells: DataFrame, title: str | None) -> Figure:
    problems, numbers = list(dict.fromkeys(cells["problem"])), sorted(set(cells["num_samples"].astype(int)))
    blocks = [cells[cells["problem"] == problem] for problem in problems]
    rows = [len(set(block["estimator"])) for block in blocks]
    short = labels(cells["estimator"])
    heights = [ROW * count + AROUND for count in rows]
    figure = Figure(layout="constrained", figsize=(page_width(), sum(heights) + AROUND))
    grid = figure.subplots(len(blocks), 3, squeeze=False, height_ratios=heights)
    look = {number: looks(map(str, numbers), [""])[str(number), ""] for number in numbers}
    for axes, block, problem in zip(grid, blocks, problems, strict=True):
        names = list(dict.fromkeys(block["estimator"]))
        for ax, (label, draw) in zip(axes, PANELS.items(), strict=True):
            draw(ax)
            ax.set_xlabel(label)
            ax.set_yticks(range(len(names)), [wrap(short[name], 44) for name in names], fontsize=5)
            ax.tick_params(axis="y", length=0, labelleft=ax is axes[0])
            ax.set_ylim(len(names) - 0.5, -0.5)
            for place, number in enumerate(numbers):
                own = block.query("num_samples == @number")
                y = np.array([names.index(name) for name in own["estimator"]], float)
                y = y + 0.5 * ((place + 0.5) / len(numbers) - 0.5)
                value, low, high = VALUES[label](own)
                ax.hlines(y, low, high, color=look[number].colour, linewidth=0.8)
                ax.plot(value, y, **{**look[number].marks, "linestyle": "none", "markersize": 2.5})
        axes[1].set_title(problem)
    marks = [Line2D([], [], label=f"S = {n}", linestyle="none", **look[n].marks) for n in numbers]
    figure.legend(
        handles=[*marks, Line2D([], [], label="right", **RIGHT)], loc="outside lower center", ncols=len(marks) + 1
    )
    if title:
        figure.suptitle(wrap(title, 120))
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0.02, 0.0, 0.98, 1.0))  # letters are wider in a file than where they are measured
    engine.execute(figure)  # a second time: long names leave little room, which the first does not find at once
    settle(figure)
    return figure


def _interval(cells: DataFrame, name: str) -> np.ndarray:
    """Value, low and high, `[3, cells]`."""
    return cells[list(Interval.columns(name))].to_numpy(float).T


def _size(cells: DataFrame) -> np.ndarray:
    return _interval(cells, "scale")


def _angle(cells: DataFrame) -> np.ndarray:
    value, low, high = np.degrees(np.arccos(_interval(cells, "mean_cosine").clip(-1, 1)))
    return np.stack([value, high, low])


def _noise(cells: DataFrame) -> np.ndarray:
    return np.sqrt(_interval(cells, "total_variance")) / cells["gradient_norm"].to_numpy(float)


VALUES = {SIZE: _size, ANGLE: _angle, NOISE: _noise}


def _log(ax: Axes) -> None:
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")


def _of_size(ax: Axes) -> None:
    _log(ax)
    ax.axvline(1, **RIGHT)


def _of_angle(ax: Axes) -> None:
    ax.axvline(0, **RIGHT)


PANELS = {SIZE: _of_size, ANGLE: _of_angle, NOISE: _log}
