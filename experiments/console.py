"""What the command line prints: progress and messages on stderr, tables on stdout."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

__all__ = [
    "Narrator",
    "duration",
    "interval",
    "markdown_table",
    "narrator",
    "number",
    "percent",
    "print_table",
    "seconds",
]

FOLDED_ROWS = 500
PLAIN_LINES = 10
"""Lines that a phase prints where stderr is no terminal."""


def number(value: float | None) -> str:
    """Four significant digits; '' where there is no number."""
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def percent(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{100 * value:.2g} %"


def seconds(value: float | None) -> str:
    """A duration with its unit."""
    if value is None or math.isnan(value):
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def duration(value: float) -> str:
    """A long duration: 12 s, 5 min, 3 h."""
    if value >= 5400:
        return f"{value / 3600:.0f} h"
    return f"{value / 60:.0f} min" if value >= 90 else f"{value:.0f} s"


def interval(value: float, low: float, high: float) -> str:
    """`value [low, high]`; '' where there is no value."""
    return "" if math.isnan(value) else f"{value:.4g} [{low:.3g}, {high:.3g}]"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, a line a row."""

    def line(cells: Sequence[str]) -> str:
        escaped = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
        return f"| {' | '.join(escaped)} |"

    return "\n".join([line(columns), line(["---"] * len(columns)), *map(line, rows)])


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", right: Sequence[str] = ()
) -> None:
    """A table on stdout. On a terminal that is too narrow for it its cells are folded, unless there are very many."""
    console = Console()
    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    if console.is_terminal and sum(widths) + 2 * len(widths) > console.width and len(rows) <= FOLDED_ROWS:
        text = _folded(console, columns, rows, title, right)
    else:
        text = _aligned(widths, columns, rows, title, right)
    click.echo(text, nl=False)


def _aligned(
    widths: Sequence[int], columns: Sequence[str], rows: Sequence[Sequence[str]], title: str, right: Sequence[str]
) -> str:
    """Lines of a table: rich takes milliseconds a row."""
    flush = [column in right for column in columns]

    def line(cells: Sequence[str]) -> str:
        pads = [" " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)]
        parts = [pad + cell if end else cell + pad for cell, pad, end in zip(cells, pads, flush, strict=True)]
        return "  ".join(parts).rstrip()

    return "\n".join([*([title] if title else []), line(columns), *map(line, rows), ""])


def _folded(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str, right: Sequence[str]
) -> str:
    table = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    with console.capture() as captured:  # rich would swallow a closed pipe
        console.print(table)
    return captured.get()


class _Stderr(Console):
    """A closed stderr is no reason to stop."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Narrator:
    """Progress as bars on a terminal and as a few plain lines elsewhere. Implements `engine.Progress`."""

    def __init__(self, console: Console, bars: Bars | None):
        self._console, self._bars = console, bars
        self._phase, self._total, self._done, self._task = "", 0, 0, None

    def say(self, message: str) -> None:
        self._console.print(Text(message))

    def start(self, phase: str, total: int) -> None:
        self._phase, self._total, self._done = phase, total, 0
        if self._bars is not None and total:
            self._task = self._bars.add_task(phase, total=total, what="")

    def advance(self, what: str, steps: int = 1) -> None:
        before, self._done = self._done, self._done + steps
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=steps, what=what)
        elif before * PLAIN_LINES // self._total != self._done * PLAIN_LINES // self._total:
            self.say(f"{self._phase}: {self._done} of {self._total} ({what})")


@contextmanager
def narrator() -> Iterator[Narrator]:
    """A narrator on stderr."""
    console = _Stderr(stderr=True, highlight=False)
    if not console.is_terminal:
        yield Narrator(console, None)
        return
    texts = TextColumn("{task.description}"), TextColumn("{task.fields[what]}", style="dim")
    bars = Bars(texts[0], BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), texts[1], console=console)
    with bars:
        yield Narrator(console, bars)
