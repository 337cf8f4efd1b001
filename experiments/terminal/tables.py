"""Tables of text: aligned, folded where a terminal is too narrow, one paragraph per row where it is much too narrow."""

import re
from collections.abc import Iterator, Sequence

import click
from rich.cells import cell_len
from rich.console import Console

__all__ = ["markdown_table", "print_table", "text_table"]

FOLDED_ROWS = 500
GAP = "  "

Cells = Sequence[str]


def print_table(columns: Cells, rows: Sequence[Cells], *, title: str = "", right: Cells = ()) -> None:
    """A table on stdout; on a terminal it is folded to its width, unless it has very many rows."""
    console = Console()
    width = console.width if console.is_terminal and len(rows) <= FOLDED_ROWS else None
    click.echo(text_table(columns, rows, title=title, right=right, width=width))


def text_table(
    columns: Cells, rows: Sequence[Cells], *, title: str = "", right: Cells = (), width: int | None = None
) -> str:
    """A table in lines of at most `width` characters, where that is not None; `right` names columns of numbers."""
    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    gaps = len(GAP) * (len(columns) - 1)
    if width is not None and sum(widths) + gaps > width:
        columnwise = zip(columns, *rows, strict=True)
        least = [max(cell_len(piece.strip()) for text in column for piece in _pieces(text)) for column in columnwise]
        if sum(least) + gaps > width:
            return "\n".join([*([title] if title else []), *(_paragraph(columns, row, width) for row in rows)])
        while sum(widths) + gaps > width:
            slack = [one - other for one, other in zip(widths, least, strict=True)]
            widths[slack.index(max(slack))] -= 1
    flush = [column in right for column in columns]
    lines = [line for row in (columns, *rows) for line in _lines(row, widths, flush)]
    return "\n".join([*([title] if title else []), *lines])


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
    """Where a cell may be folded: between words, but not between a number and its unit; a spec at its separators."""
    found = []
    for word in re.split(r"(?<=\S )(?!(?<=\d )(?:%|[a-zµ]{1,2}\b))", text):
        found += re.split(r"(?<=[,:(=_-])(?=.)", word) if re.match(r"[A-Za-z]\S{11}", word) else [word]
    return found


def _paragraph(columns: Cells, row: Cells, width: int) -> str:
    """A row as two lines or more: its first two cells, and then every other with its heading."""
    head = " ".join(cell for cell in row[:2] if cell)
    rest = ", ".join(f"{column} {cell}" for column, cell in zip(columns[2:], row[2:], strict=True) if cell)
    lines = _fold(rest, width - 2 * len(GAP)) if rest else []
    return "\n".join([head, *(2 * GAP + line for line in lines)])
