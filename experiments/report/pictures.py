"""The figures of a report, inside the page: SVG in the page's own colours, or pixels where that would be too much."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import Markup
from matplotlib.figure import Figure as Drawing
from pandas import DataFrame

from experiments.plots.drawing.style import GRID, INK, paper_style

__all__ = ["Figure", "figures"]

TEXTS = {
    "option": (
        "Against the option in which the problems differ",
        "Variance of one gradient estimate with 95 % intervals, by parameter where each has one entry and else in "
        "total, and the time of one gradient where it changes. Pale lines are exact variances, where they are known.",
    ),
    "rates": (
        "Rates of the variance",
        "Total variance of one gradient estimate against the number of samples in it, with the fitted power law and "
        "its exponent ± standard error. Pale lines are exact variances, where they are known.",
    ),
    "variance": (
        "Variance against number of samples",
        "Total variance of one gradient estimate, with 95 % intervals, against the number of samples in it.",
    ),
    "bias": (
        "Bias against number of samples",
        "Unbiased estimate of the squared bias, with 95 % intervals, relative to the squared norm of the gradient. "
        "The axis is linear around 0; an estimate below 0 is noise.",
    ),
    "variance-time": (
        "Variance against time",
        "Total variance, with 95 % intervals, against the time of one gradient (median and quartiles). The lines join "
        "the numbers of samples of an estimator. Down and to the left is better.",
    ),
    "variance-evaluations": (
        "Variance against evaluations of the cost",
        "Total variance, with 95 % intervals, against the evaluations of the cost for one gradient. The lines join the "
        "numbers of samples of an estimator. Down and to the left is better.",
    ),
    "snr": (
        "Signal-to-noise ratio",
        "Norm of the mean gradient over the root of the total variance, with 95 % intervals, against the number of "
        "samples.",
    ),
    "signals": (
        "Signal-to-noise ratio of each parameter",
        "The norm of the mean gradient in a parameter over the root of its total variance, with 95 % intervals, "
        "against the number of samples.",
    ),
    "work": (
        "Error for the time",
        "MSE × time of each estimator at its best number of samples, as a multiple of the best on the same problem. "
        "Small is better; in parentheses: found to be biased.",
    ),
    "parameters": (
        "Variance by parameter",
        "Variance of the entries of one gradient estimate, with 95 % intervals, at the largest number of samples.",
    ),
    "rounding": (
        "Rounding errors",
        "Error of the entries of a gradient relative to float64 at the same parameters and noise: the median (marker) "
        "and the largest (end of the line).",
    ),
    "range": (
        "Range of the gradient",
        "Magnitudes of the entries of a gradient, from the smallest (end of the line) to the largest (marker).",
    ),
    "training": (
        "Training against steps",
        "What was recorded during the optimisation, against its steps: the median over the seeds, and a band from the "
        "lowest to the highest.",
    ),
    "training-time": (
        "Training against time",
        "The same against the wall-clock time of one seed: steps times the seconds of one step, timed by itself.",
    ),
}


SCALE = 1.4  # a screen is read from further away than a page
LARGEST = 500_000
"""Characters of an SVG in the page: with more than a few of a million a browser takes seconds to open it."""
IN_PIXELS = "In pixels, since it has very many lines; gradmark plot, with --format svg, draws them."


class Figure(NamedTuple):
    kind: str
    title: str
    caption: str
    picture: Markup
    format: str  # svg or png


def figures(cells: DataFrame, drawings: Mapping[str, Drawing]) -> list[Figure]:
    """The drawings of a run, by kind, as elements for a page."""
    done = cells.query("status == 'done'")
    estimators, problems = len(set(done["estimator"])), len(set(done["problem"]))
    content = f"{estimators} estimators on {problems} problems; the numbers are in the table of cells."
    return [_figure(kind, drawing, content) for kind, drawing in drawings.items()]


def _figure(kind: str, drawing: Drawing, content: str) -> Figure:
    title, caption = TEXTS[kind]
    alternative = f"{caption} {content}"
    buffer = io.StringIO()
    with paper_style():
        drawing.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    code = buffer.getvalue()
    if len(code) > LARGEST:
        return Figure(kind, title, f"{caption} {IN_PIXELS}", _pixels(drawing, alternative), "png")
    return Figure(kind, title, caption, _svg(code[code.index("<svg") :], kind, alternative), "svg")


def _pixels(drawing: Drawing, alternative: str) -> Markup:
    buffer = io.BytesIO()
    with paper_style():
        drawing.savefig(buffer, format="png")
    width = round(SCALE * 96 * drawing.get_figwidth())
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Markup('<img alt="{}" width="{}" src="{}">').format(alternative, width, source)


def _svg(code: str, prefix: str, alternative: str) -> Markup:
    code = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", code, flags=re.DOTALL)
    # Names are unique within a figure, and a page has several.
    code = re.sub(r'( id="|href="#|url\(#)', rf"\1{prefix}-", code)
    code = re.sub(r'(width|height)="([\d.]+)pt"', lambda m: f'{m[1]}="{SCALE * float(m[2]):g}pt"', code, count=2)
    code = code.replace(INK, "var(--ink)").replace(GRID, "var(--line)")
    label = Markup('<svg role="img" aria-label="{}"').format(alternative)
    return Markup(code.replace("<svg", label, 1))
