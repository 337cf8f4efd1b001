"""Figures of a run: variance, bias and time against what varies in it.

>>> run = load("results/quickstart")
>>> figure = plot(run.cells, "variance")
>>> save_plots(plots_of(run), "figures", format="pdf")
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from pandas import DataFrame

from estimators.interface.specs import check_known
from experiments.plots.drawing.facets import faceted, kind_against
from experiments.plots.drawing.files import FORMATS, save
from experiments.plots.kinds.bias import bias
from experiments.plots.kinds.choice import suitable
from experiments.plots.kinds.option import option, with_parameters
from experiments.plots.kinds.parameters import parameter_variance
from experiments.plots.kinds.rates import rates
from experiments.plots.kinds.rounding import gradient_range, rounding_error
from experiments.plots.kinds.snr import parameter_signals, signal_to_noise
from experiments.plots.kinds.training import training_steps, training_time, with_curves
from experiments.plots.kinds.variance import variance
from experiments.plots.kinds.variance_work import variance_evaluations, variance_time
from experiments.plots.kinds.work import work_map

if TYPE_CHECKING:
    from experiments.store import Run

__all__ = ["KINDS", "plot", "plots", "plots_of", "save_plots"]

KINDS: dict[str, Callable[[DataFrame, str | None], Figure]] = {
    "variance": variance,
    "bias": bias,
    "variance-time": variance_time,
    "variance-evaluations": variance_evaluations,
    "snr": signal_to_noise,
    "signals": parameter_signals,
    "work": work_map,
    "parameters": parameter_variance,
    "option": option,
    "rates": rates,
    "rounding": rounding_error,
    "range": gradient_range,
    "training": training_steps,
    "training-time": training_time,
}


def plot(cells: DataFrame, kind: str, title: str | None = None) -> Figure:
    """Draw one kind of figure of a run's `cells`; where they hold nothing to draw, the figure says so.

    Raises ValueError for a kind that is not in `KINDS`.
    """
    check_known("kind of figure", kind, KINDS)
    return KINDS[kind](cells, title)


def plots(
    cells: DataFrame,
    kinds: Collection[str] = (),
    parameters: DataFrame | None = None,
    traces: DataFrame | None = None,
    signals: DataFrame | None = None,
    x: str | None = None,
    facet: str = "problem",
) -> dict[str, Figure]:
    """Draw several kinds of figures, by default all that have something to say (`suitable`).

    With a run's `parameters`, figures against an option and of parameters show them; figures of training need its
    `traces`, those of each parameter's signal its `signals`. `x` draws the variance against num_samples, evaluations,
    seconds or a numeric option of the problems; `facet` makes panels of another column of the cells than the problem.
    Raises ValueError for an unknown kind, and where `x` or `facet` does not suit the kinds.
    """
    for kind in kinds:
        check_known("kind of figure", kind, KINDS)
    if parameters is not None:
        cells = with_parameters(cells, parameters)
    if traces is not None:
        cells = with_curves(cells, traces)
    if x is not None:
        kinds = [kind_against(x, cells, kinds)]
    chosen = kinds or (suitable(cells) if facet == "problem" else ["variance"])
    cells = faceted(cells, facet, chosen)
    special = {
        "parameters": partial(parameter_variance, parameters=parameters),
        "signals": partial(parameter_signals, signals=signals),
        "option": partial(option, along=x),
    }
    return {kind: (KINDS | special)[kind](cells, None) for kind in chosen}


def plots_of(run: Run, kinds: Collection[str] = (), x: str | None = None, facet: str = "problem") -> dict[str, Figure]:
    """`plots` of all that a run holds."""
    return plots(run.cells, kinds, run.parameters, run.traces, run.signals, x, facet)


def save_plots(figures: Mapping[str, Figure], folder: str | Path, format: str = "png") -> list[Path]:
    """Write `folder/KIND.FORMAT` for every figure, each file whole or not at all.

    Raises ValueError for an unknown format (png, svg, pdf), before anything is written.
    """
    check_known("format", format, FORMATS)
    return [save(figure, Path(folder) / f"{kind}.{format}") for kind, figure in figures.items()]
