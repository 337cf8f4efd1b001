"""What the command line says: numbers with their units, and progress on stderr."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

__all__ = [
    "Narrator",
    "duration",
    "interval",
    "narrator",
    "number",
    "percent",
    "seconds",
    "time_unit",
]

UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))

PLAIN_LINES = 10
"""Lines that a phase prints where stderr is no terminal."""


def number(value: float | None) -> str:
    """Four significant digits; '' where there is no number."""
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def percent(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{100 * value:,.0f} %" if 9.95 <= 100 * value < 1e6 else f"{100 * value:.2g} %"


def seconds(value: float | None) -> str:
    """A duration with its unit."""
    if value is None or math.isnan(value):
        return ""
    unit, size = time_unit(value)
    return f"{value / size:.3g} {unit}"


def time_unit(value: float) -> tuple[str, float]:
    """The unit of a duration and its seconds, for three digits: 999.7 µs are 1 ms."""
    return next((pair for pair in UNITS if value >= 0.9995 * pair[1]), UNITS[-1])


def duration(value: float) -> str:
    """A long duration: 12 s, 5 min, 3 h."""
    if value >= 5400:
        return f"{value / 3600:.0f} h"
    return f"{value / 60:.0f} min" if value >= 90 else f"{value:.0f} s"


def interval(value: float, low: float, high: float) -> str:
    """`value [low, high]`; '' where there is no value."""
    return "" if math.isnan(value) else f"{value:.4g} [{low:.3g}, {high:.3g}]"


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
        self._console.print(Text(message), soft_wrap=not self._console.is_terminal)

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
