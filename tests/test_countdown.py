"""What a command with a budget says meanwhile: soon, again and again, and never of a time that nobody can tell."""

import io
import time

import pytest
from rich.console import Console
from rich.progress import Task, TaskID

from experiments.terminal import progress
from experiments.terminal.progress import Narrator, _Done, _TimeLeft


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TICK", 0.01), ("FIRST", 0.05), ("EVERY", 0.1)):
        monkeypatch.setattr(progress, name, value)


def test_a_countdown_speaks_while_somebody_works(hasty: None) -> None:
    """Though that one says nothing by itself for a long time, as a slow cost does not."""
    text = io.StringIO()
    narrator = Narrator(Console(file=text, width=200), None)
    with narrator.countdown("ranking", lambda: 0.5, lambda: "30 s left"):
        narrator.doing("pathwise leads")
        until = time.monotonic() + 10
        while text.getvalue().count("\n") < 3 and time.monotonic() < until:
            time.sleep(0.01)
    said = text.getvalue()
    assert said.splitlines()[:3] == ["ranking: 30 s left: pathwise leads"] * 3
    time.sleep(0.3)
    assert text.getvalue() == said, "it has ended"


def test_a_short_countdown_says_nothing() -> None:
    text = io.StringIO()
    with Narrator(Console(file=text), None).countdown("ranking", lambda: 0.5, lambda: "30 s left"):
        pass
    assert not text.getvalue()


def test_a_time_that_is_not_known_is_not_shown() -> None:
    waiting = Task(TaskID(1), "measuring", 36.0, 0.0, _get_time=time.monotonic)
    assert not str(_TimeLeft().render(waiting)) and str(_Done().render(waiting)) == " 0/36"
    counting = Task(TaskID(2), "ranking", 1.0, 0.3, fields={"counts_down": True}, _get_time=time.monotonic)
    assert not str(_TimeLeft().render(counting)) and not str(_Done().render(counting))
