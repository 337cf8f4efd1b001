"""The figures of a report, inside the page: SVG in the page's own colours, or pixels where that would be too much."""

import base64
import io
import re
from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import Markup
from matplotlib.figure import Figure as Drawing
from pandas import DataFrame

from experiments.plots import KINDS
from experiments.plots.drawing.style import GRID, INK, paper_style

__all__ = ["Figure", "figures"]

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
    title, caption = KINDS[kind].title, KINDS[kind].caption
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
