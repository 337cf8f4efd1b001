"""What a command says while it works: bars on a terminal, a few plain lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from experiments.terminal.numbers import duration

__all__ = ["Narrator", "narrator", "silent"]

PLAIN_LINES = 10
"""Lines that a phase prints where stderr is no terminal."""
FIRST, EVERY = 3.0, 6.0
"""Seconds after which a countdown says something where stderr is no terminal, at first and from then on."""
TICK = 0.5
"""Seconds after which a countdown looks at what is left."""


class _Stderr(Console):
    """A closed stderr is no reason to stop."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class _TimeLeft(ProgressColumn):
    """The time that is left, once there is a pace to tell it from."""

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if left is None or task.fields.get("counts_down") else f"{duration(left)} left")


class _Done(MofNCompleteColumn):
    """What is done of how many; nothing of a countdown, whose text says it."""

    def render(self, task: Task) -> Text:
        return Text("") if task.fields.get("counts_down") else super().render(task)


class Narrator:
    """Progress as bars on a terminal and as a few plain lines elsewhere. Implements `engine.Progress`."""

    def __init__(self, console: Console, bars: Bars | None):
        self._console, self._bars = console, bars
        self._phase, self._total, self._done, self._task = "", 0, 0, None
        self._doing = ""

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

    def doing(self, what: str) -> None:
        """What is done now, for the countdown to tell."""
        self._doing = what

    @contextmanager
    def countdown(self, phase: str, done: Callable[[], float], left: Callable[[], str]) -> Iterator[None]:
        """Tell every few seconds, whatever goes on, which part of a budget is spent, what is left, and what is done."""
        ended = threading.Event()
        task = None
        if self._bars is not None:
            task = self._bars.add_task(phase, total=1.0, what="", counts_down=True)

        def tick() -> None:
            began, told = time.monotonic(), -1
            while not ended.wait(TICK):
                text = f"{left()}: {self._doing}" if self._doing else left()
                if self._bars is not None and task is not None:
                    self._bars.update(task, completed=min(done(), 1.0), what=text)
                    continue
                if (now := int((time.monotonic() - began - FIRST) // EVERY)) > told:
                    told = now
                    self.say(f"{phase}: {text}")

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if self._bars is not None and task is not None:
                self._bars.remove_task(task)


def silent() -> Narrator:
    """A narrator that says nothing."""
    return Narrator(Console(stderr=True, quiet=True), None)


@contextmanager
def narrator() -> Iterator[Narrator]:
    """A narrator on stderr."""
    console = _Stderr(stderr=True, highlight=False)
    if not console.is_terminal:
        yield Narrator(console, None)
        return
    texts = TextColumn("{task.description}"), TextColumn("{task.fields[what]}", style="dim")
    bars = Bars(texts[0], BarColumn(), _Done(), _TimeLeft(), texts[1], console=console)
    with bars:
        yield Narrator(console, bars)
