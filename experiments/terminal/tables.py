"""Tables of text: aligned, folded where a terminal is too narrow, one paragraph per row where it is much too narrow."""

import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

import click
from rich.cells import cell_len
from rich.console import Console

__all__ = ["fitting", "folded", "folded_rows", "hanging", "literal", "markdown_table", "print_table"]
__all__ += ["table_for_terminal", "terminal_width", "text_table"]

FOLDED_ROWS = 500
GAP = "  "
MARKUP = set("<>&[]*`!\\#\n")

Cells = Sequence[str]


def print_table(columns: Cells, rows: Sequence[Cells], *, title: str = "", right: Cells = ()) -> None:
    """A table on stdout."""
    click.echo(table_for_terminal(columns, rows, title=title, right=right))


def table_for_terminal(columns: Cells, rows: Sequence[Cells], *, title: str = "", right: Cells = ()) -> str:
    """A table for stdout: on a terminal it is folded to its width, unless it has very many rows."""
    width = terminal_width() if len(rows) <= FOLDED_ROWS else None
    return text_table(columns, rows, title=title, right=right, width=width)


def terminal_width() -> int | None:
    """The characters of a line of stdout, or those that COLUMNS says; None: a line may be as long as it likes."""
    console = Console()
    return console.width if console.is_terminal or os.environ.get("COLUMNS", "").isdigit() else None


def fitting(
    columns: Cells, rows: Sequence[Cells], width: int | None, drop: Cells, most: Mapping[str, int] | None = None
) -> list[int]:
    """The places of the columns that fit into a width with no cell folded but headings, and in `most` to so many
    characters.

    `drop` names columns that may be left out, the least important first; of two that may, more than one is left out
    only where that makes room for none of the others.
    """
    limits = most or {}
    room = [min(_room(column), limits.get(column[0], width or 0)) for column in zip(columns, *rows, strict=True)]
    kept = list(range(len(columns)))
    if width is None:
        return kept

    def needed(places: Sequence[int]) -> int:
        return sum(room[place] for place in places) + len(GAP) * (len(places) - 1)

    gone = []
    for name in drop:
        if needed(kept) <= width:
            break
        gone.append(columns.index(name))
        kept.remove(gone[-1])
    for place in reversed(gone):
        if needed([*kept, place]) <= width:
            kept.append(place)
    return sorted(kept)


def _room(column: Cells) -> int:
    """The characters that a column takes whose heading alone is folded."""
    heading, *cells = column
    return max([_longest(heading), *map(cell_len, cells)])


def _longest(text: str) -> int:
    return max(cell_len(piece.strip()) for piece in _pieces(text))


def text_table(
    columns: Cells, rows: Sequence[Cells], *, title: str = "", right: Cells = (), width: int | None = None
) -> str:
    """A table in lines of at most `width` characters, where that is not None; `right` names columns of numbers.

    Where folded cells make it long, the first two cells of a row have a line of their own above the others; and where
    it cannot be as narrow even then, a row is a paragraph.
    """
    layouts = [_aligned(columns, rows, right, width)]
    if width is not None and len(columns) > 2:
        layouts.append(_under_heads(columns, rows, right, width))
    found = [lines for lines in layouts if lines is not None]
    if not found:
        assert width is not None
        found = [[_paragraph(columns, row, width) for row in rows]]
    return "\n".join([*([title] if title else []), *min(found, key=len)])


def _under_heads(columns: Cells, rows: Sequence[Cells], right: Cells, width: int) -> list[str] | None:
    """The lines of a table in which the first two cells of a row stand above the others; None: it is too wide."""
    rest = folded_rows(columns[2:], [row[2:] for row in rows], right, width - 2 * len(GAP))
    if rest is None:
        return None
    pairs = zip((columns, *rows), rest, strict=True)
    return [line for row, below in pairs for line in (_head(row), *(2 * GAP + part for part in below))]


def _aligned(columns: Cells, rows: Sequence[Cells], right: Cells, width: int | None) -> list[str] | None:
    """The lines of a table; None: it is too wide."""
    found = folded_rows(columns, rows, right, width)
    return None if found is None else [line for lines in found for line in lines]


def folded_rows(columns: Cells, rows: Sequence[Cells], right: Cells, width: int | None) -> list[list[str]] | None:
    """The lines of the headings and of each row; None: they cannot be as narrow as that."""
    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    gaps = len(GAP) * (len(columns) - 1)
    if width is not None and sum(widths) + gaps > width:
        columnwise = list(zip(columns, *rows, strict=True))
        least = [_room(column) for column in columnwise]
        if sum(least) + gaps > width:
            least = [
                max(cell_len(piece.strip()) for text in column for piece in _pieces(text)) for column in columnwise
            ]
        if sum(least) + gaps > width:
            return None
        while sum(widths) + gaps > width:
            slack = [one - other for one, other in zip(widths, least, strict=True)]
            widths[slack.index(max(slack))] -= 1
    flush = [column in right for column in columns]
    return [list(_lines(row, widths, flush)) for row in (columns, *rows)]


def folded(text: str, indent: str = "") -> str:
    """A paragraph, indented; on a terminal in lines of its width."""
    return hanging(indent, text, indent, terminal_width())


def hanging(head: str, text: str, indent: str, width: int | None) -> str:
    """A paragraph that begins with `head`, in lines of a width of which the others are indented; None: in one line."""
    if width is None:
        return head + text
    # No line ends between a number and its unit.
    bound = re.sub(r"(?<=\d) (?=(?:%|×|[a-zµ]{1,2}\b)|\[)", "\N{NO-BREAK SPACE}", text)
    lines = textwrap.wrap(
        re.sub(r"\[[^\]]*\]", lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), bound),
        width,
        initial_indent=head,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def literal(text: str) -> str:
    """Text that Markdown and HTML leave as it is: nobody's name opens a tag or a link."""
    return "".join(f"&#{ord(sign)};" if sign in MARKUP else sign for sign in text)


def markdown_table(columns: Cells, rows: Sequence[Cells]) -> str:
    """A table in Markdown, one line per row."""

    def line(cells: Cells) -> str:
        escaped = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
        return f"| {' | '.join(escaped)} |"

    return "\n".join([line(columns), line(["---"] * len(columns)), *map(line, rows)])


def _lines(row: Cells, widths: Sequence[int], flush: Sequence[bool]) -> Iterator[str]:
    folded = [_fold(cell, width) for cell, width in zip(row, widths, strict=True)]
    for index in range(max(map(len, folded))):
        parts = []
        for cell, width, end in zip(folded, widths, flush, strict=True):
            text = cell[index] if index < len(cell) else ""
            pad = " " * (width - cell_len(text))
            parts.append(pad + text if end else text + pad)
        yield GAP.join(parts).rstrip()


def _fold(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for piece in _pieces(text):
        if cell_len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines]


def _pieces(text: str) -> list[str]:
    """Where a cell may be folded: between words, but not between a number and its unit or ±, nor in an interval; a spec
    at its separators."""
    found = []
    for word in re.split(r"(?<=\S )(?<!± )(?!±|(?<=\d )(?:%|[a-zµ]{1,2}\b)|[^\[\]]*\])", text):
        found += re.split(r"(?<=[,:(=_-])(?=.)", word) if re.match(r"[A-Za-z]\S{11}", word) else [word]
    return found


def _head(row: Cells) -> str:
    return " ".join(cell for cell in row[:2] if cell)


def _paragraph(columns: Cells, row: Cells, width: int) -> str:
    """A row as two lines or more: its first two cells, and then every other with its heading."""
    rest = ", ".join(f"{column} {cell}" for column, cell in zip(columns[2:], row[2:], strict=True) if cell)
    lines = _fold(rest, width - 2 * len(GAP)) if rest else []
    return "\n".join([_head(row), *(2 * GAP + line for line in lines)])
