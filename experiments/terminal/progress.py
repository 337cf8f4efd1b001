"""What a command says while it works: bars on a terminal, a few plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

__all__ = ["Narrator", "narrator"]

PLAIN_LINES = 10
"""Lines that a phase prints where stderr is no terminal."""


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
