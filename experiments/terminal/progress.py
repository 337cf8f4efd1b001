"""What a command says while it works: bars on a terminal, a few plain lines elsewhere."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from experiments.terminal.numbers import duration
from experiments.terminal.telling import told

__all__ = ["Narrator", "bars_on", "narrator", "silent"]

PLAIN_LINES = 10
"""Lines that a phase prints where stderr is no terminal."""
FIRST, EVERY = 3.0, 6.0
"""Seconds after which a countdown says something where stderr is no terminal, at first and from then on."""
BAR = 20
"""Characters of a bar: what is done needs the rest."""
REST = Column(ratio=1, no_wrap=True, overflow="ellipsis")
TICK = 0.5
"""Seconds after which it is looked what there is to tell."""


class _Stderr(Console):
    """A closed stderr is no reason to stop."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class _TimeLeft(ProgressColumn):
    """The time that is left of a phase, once there is a pace to tell it from."""

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text(
            "" if left is None or task.finished or task.fields.get("counts_down") else f"{duration(left)} left in all"
        )


class _Done(MofNCompleteColumn):
    """What is done of how many; nothing of a countdown, whose text says it."""

    def render(self, task: Task) -> Text:
        return Text("") if task.fields.get("counts_down") else super().render(task)


class Narrator:
    """Progress as bars on a terminal and as a few plain lines elsewhere. Implements `engine.Progress`."""

    def __init__(self, console: Console, bars: Bars | None):
        self._console, self._bars = console, bars
        self._phase, self._total, self._done, self._task = "", 0, 0, None
        self._since, self._lines = time.monotonic(), 0
        self._doing, self._began, self._ends = "", 0.0, math.inf

    def say(self, message: str) -> None:
        self._console.print(Text(message), soft_wrap=not self._console.is_terminal)

    def start(self, phase: str, total: int) -> None:
        self._phase, self._total, self._done = phase, total, 0
        self._nothing_yet()
        if self._bars is not None and total:
            self._task = self._bars.add_task(phase, total=total, what="")

    def advance(self, what: str, steps: int = 1) -> None:
        before, self._done = self._done, self._done + steps
        self._nothing_yet()
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=steps, what=what)
        elif before * PLAIN_LINES // self._total != self._done * PLAIN_LINES // self._total:
            self.say(f"{self._phase}: {self._done} of {self._total} ({what})")

    def doing(self, what: str, left: float = math.inf) -> None:
        """What is being done now, and in how many seconds that ends; infinite: nobody knows."""
        now = time.monotonic()
        self._doing, self._began, self._ends = what, now, now + left

    @contextmanager
    def countdown(self, phase: str, done: Callable[[], float], left: Callable[[], str]) -> Iterator[None]:
        """Tell every few seconds, whatever goes on, which part of a budget is spent, what is left, and what is done."""
        bars, task, began, lines = self._bars, None, time.monotonic(), 0
        if bars is not None:
            task = bars.add_task(phase, total=1.0, what="", counts_down=True)

        def tick() -> None:
            nonlocal lines
            text = f"{left()}: {self._doing}" if self._doing else left()
            if bars is not None and task is not None:
                bars.update(task, completed=min(done(), 1.0), what=text)
            elif time.monotonic() - began >= FIRST + EVERY * lines:
                lines += 1
                self.say(f"{phase}: {text}")

        try:
            with _again_and_again(tick):
                yield
        finally:
            if bars is not None and task is not None:
                bars.remove_task(task)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Tell what is being done in a step of a phase that takes long, though it says nothing by itself for a while.

        Beside the bar of the phase; where stderr is no terminal, in a line after 3 seconds, 6, 12 and so on.
        """

        def tick() -> None:
            what, now = self._doing, time.monotonic()
            if not (what and self._phase):
                return
            text = told(what, self._ends - now, now - self._began)
            if self._bars is not None and self._task is not None:
                self._bars.update(self._task, what=text)
            elif self._bars is None and now - self._since >= FIRST * 2**self._lines:
                self._lines += 1
                self.say(f"{self._phase}: {text}")

        with _again_and_again(tick):
            yield

    def _nothing_yet(self) -> None:
        """A step begins, of which nothing has been said."""
        self._since, self._lines, self._doing = time.monotonic(), 0, ""


@contextmanager
def _again_and_again(tick: Callable[[], None]) -> Iterator[None]:
    """Call it meanwhile, every half second, from a thread of its own."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(TICK):
            tick()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def silent() -> Narrator:
    """A narrator that says nothing."""
    return Narrator(Console(stderr=True, quiet=True), None)


@contextmanager
def narrator() -> Iterator[Narrator]:
    """A narrator on stderr."""
    console = _Stderr(stderr=True, highlight=False)
    if not console.is_terminal:
        plain = Narrator(console, None)
        with plain.watched():
            yield plain
        return
    bars = bars_on(console)
    drawn = Narrator(console, bars)
    with bars, drawn.watched():
        yield drawn


def bars_on(console: Console) -> Bars:
    """Bars with what is done beside them, in what is left of a line."""
    texts = TextColumn("{task.description}"), TextColumn("{task.fields[what]}", style="dim", table_column=REST)
    return Bars(texts[0], BarColumn(BAR), _Done(), _TimeLeft(), texts[1], console=console, expand=True)
