"""Tables for notebooks."""

import html
from collections.abc import Iterable, Sequence

__all__ = ["html_table"]


def html_table(rows: Iterable[Sequence[str]], columns: Sequence[str] = (), note: str = "") -> str:
    """A table, with a line of text below it; the notebook's own style dresses it."""

    def line(cells: Sequence[str], tag: str) -> str:
        made = (f'<{tag} style="text-align: left">{html.escape(cell)}</{tag}>' for cell in cells)
        return f"<tr>{''.join(made)}</tr>"

    head = f"<thead>{line(columns, 'th')}</thead>" if columns else ""
    body = "".join(line(row, "td") for row in rows)
    below = f"<p>{html.escape(note)}</p>" if note else ""
    return f"<table>{head}<tbody>{body}</tbody></table>{below}"
