"""Figures of a run: variance, bias and time against what varies in it.

>>> run = load("results/quickstart")
>>> figure = plot(run.cells, "variance")
>>> save_plots(plots_of(run), "figures", format="pdf")
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from matplotlib.figure import Figure
from pandas import DataFrame

from estimators.interface.specs import check_known
from experiments.plots.drawing.files import FORMATS, save
from experiments.plots.drawing.panels import FACETS
from experiments.plots.kind import Request
from experiments.plots.kinds import KINDS
from experiments.store import CELL_COLUMNS, Run
from experiments.store.derived import derived

__all__ = ["KINDS", "plot", "plots", "plots_of", "save_plots"]

USUAL = "variance"
"""The kind of figure to draw where `facet` is given and no kind."""


def plot(cells: DataFrame, kind: str, title: str | None = None) -> Figure:
    """Draw one kind of figure of a run's `cells`; where they hold nothing to draw, the figure says so.

    Raises ValueError for a kind that is not in `KINDS`.
    """
    check_known("kind of figure", kind, KINDS)
    return KINDS[kind].draw(_run(cells), Request(title))


def plots(
    cells: DataFrame,
    kinds: Collection[str] = (),
    parameters: DataFrame | None = None,
    traces: DataFrame | None = None,
    signals: DataFrame | None = None,
    x: str | None = None,
    facet: str = "problem",
) -> dict[str, Figure]:
    """`plots_of` a run of which some frames are at hand."""
    return plots_of(_run(cells, parameters, traces, signals), kinds, x, facet)


def plots_of(run: Run, kinds: Collection[str] = (), x: str | None = None, facet: str = "problem") -> dict[str, Figure]:
    """Draw several kinds of figures of a run, by default all that have something to say about it (`Kind.suits`).

    `x` draws the variance against num_samples, evaluations, seconds or a numeric option of the problems; `facet` makes
    panels of another column of the cells than the problem.

    Raises ValueError for an unknown kind, and where `x` or `facet` does not suit the kinds.
    """
    for kind in kinds:
        check_known("kind of figure", kind, KINDS)
    check_known("facet", facet, FACETS)
    if x is not None:
        chosen = [_against(x, run, kinds)]
    elif kinds or facet == "problem":
        chosen = kinds or [name for name, kind in KINDS.items() if kind.suits(run)]
    else:
        chosen = [USUAL]
    known = [name for name, kind in KINDS.items() if facet in kind.facets]
    for kind in chosen:
        if kind not in known:
            raise ValueError(f"panels by {facet} are for the kinds {', '.join(known)}, not {kind}")
    return {kind: KINDS[kind].draw(run, Request(None, x, facet)) for kind in chosen}


def _against(x: str, run: Run, kinds: Collection[str]) -> str:
    """The kind of figure that shows the variance against `x`."""
    if set(kinds) - {USUAL}:
        raise ValueError(f"x is what the variance is drawn against, not {', '.join(kinds)}: leave the kind out")
    axes: dict[str, str] = {}
    for name, kind in reversed(KINDS.items()):
        for axis in kind.axes(run):
            axes.setdefault(axis, name)
    if x not in axes:
        known = ", ".join(axes)
        raise ValueError(f"'{x}' does not take two values or more in the problems of this run; x may be {known}")
    return axes[x]


def _run(
    cells: DataFrame,
    parameters: DataFrame | None = None,
    traces: DataFrame | None = None,
    signals: DataFrame | None = None,
) -> Run:
    """A run of these frames; `cells` may be an empty frame without columns."""
    none = DataFrame()
    cells = cells if len(cells.columns) else derived(DataFrame(columns=list(CELL_COLUMNS), dtype=object))
    tables = (none if table is None else table for table in (parameters, signals, traces))
    timings = DataFrame(columns=["key", "kind", "round", "seconds"])
    return Run(cells, *tables, timings=timings, provenance={}, plan=tuple(cells["key"]))


def save_plots(figures: Mapping[str, Figure], folder: str | Path, format: str = "png") -> list[Path]:
    """Write `folder/KIND.FORMAT` for every figure, each file whole or not at all.

    Raises ValueError for an unknown format (png, svg, pdf), before anything is written.
    """
    check_known("format", format, FORMATS)
    return [save(figure, Path(folder) / f"{kind}.{format}") for kind, figure in figures.items()]
