"""What mkdocs does beside rendering pages: add those that are generated (`pages.py`), and turn LaTeX into MathML.

MathML is drawn by the browser, so that no page needs a script or a font from elsewhere.
"""

import html
import re
from typing import Any

from api import api
from atlas import matrix, with_rows
from board import board
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files
from pages import INTRODUCTIONS, REFERENCE, catalogue, reference_results, schemes_and_sweeps

ATLAS = REFERENCE / "atlas"
COMMUNITY = REFERENCE.parent / "community"
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
LOGARITHM = re.compile(r"\\log(?! *(?:\(|\\[bB]ig))")  # which MathML would set tight


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    for name in INTRODUCTIONS:
        files.append(File.generated(config, f"catalogue/{name}.md", content=catalogue(name)))
    files.append(File.generated(config, "catalogue/sweeps.md", content=schemes_and_sweeps()))
    files.append(File.generated(config, "api.md", content=api()))
    files.append(File.generated(config, "atlas.md", content=matrix(ATLAS)))
    files.append(File.generated(config, "board.md", content=board(COMMUNITY)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the reference results into the pages that ask for them."""
    markdown = with_rows(markdown, ATLAS)
    beside = REFERENCE / "peers" / "table.md"
    known = beside.read_text("utf-8") if beside.exists() else "Nothing has been measured with this version yet."
    return markdown.replace("<!-- reference results -->", reference_results(REFERENCE)).replace("<!-- peers -->", known)


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """MathML in place of LaTeX."""
    return FORMULA.sub(lambda found: mathml(html.unescape(found[2]), block=found[1] == "div"), content)


def mathml(latex: str, *, block: bool) -> str:
    """A formula. ValueError: a command that is not known."""
    spaced = LOGARITHM.sub(r"\\,\\log\\,", latex.strip())
    formula = convert(spaced, display="block" if block else "inline")
    if "\\" in formula:
        raise ValueError(f"no MathML for {latex!r}")
    tag = "div" if block else "span"
    return f'<{tag} class="arithmatex">{formula}</{tag}>'
