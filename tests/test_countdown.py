"""What a command with a budget says meanwhile: soon, again and again, and never of a time that nobody can tell."""

import io
import math
import time

import pytest
from rich.console import Console
from rich.progress import Task, TaskID

from experiments.terminal import progress
from experiments.terminal.progress import Narrator, _Done, _TimeLeft, bars_on
from experiments.terminal.telling import told


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


def test_a_step_that_takes_long_says_what_is_done_and_what_is_left(hasty: None) -> None:
    """Where nobody says anything for a while, more and more rarely: a log of many hours stays short."""
    text = io.StringIO()
    narrator = Narrator(Console(file=text, width=200), None)
    narrator.start("measuring", 2)
    with narrator.watched():
        narrator.doing("64 replicates · mine", 30.0)
        until = time.monotonic() + 10
        while text.getvalue().count("\n") < 3 and time.monotonic() < until:
            time.sleep(0.01)
        said = text.getvalue()
        narrator.advance("mine")
    first, *others = said.splitlines()
    assert first == "measuring: 30 s left: 64 replicates · mine" and len(others) == 2
    assert text.getvalue().endswith("measuring: 1 of 2 (mine)\n")


def test_beside_the_bar_the_time_comes_first_so_that_long_names_do_not_hide_it(hasty: None) -> None:
    """A thousand characters of specs leave it in its place, on a terminal of 100 columns."""
    text = io.StringIO()
    console = Console(file=text, width=100, force_terminal=True, color_system=None)
    with bars_on(console) as bars:
        narrator = Narrator(console, bars)
        narrator.start("measuring", 36)
        with narrator.watched():
            narrator.doing("reference gradient, 64 replicates · " + "long " * 200, 75.0)
            until = time.monotonic() + 10
            while "left: reference gradient, 64 rep" not in text.getvalue() and time.monotonic() < until:
                time.sleep(0.01)
    assert "0/36  75 s left: reference gradient, 64 rep" in text.getvalue()


def test_what_takes_long_without_a_known_end_says_for_how_long() -> None:
    assert told("summing up", math.inf, 1.0) == "summing up"
    assert told("summing up", math.inf, 12.0) == "12 s so far: summing up"
    assert told("64 replicates", 12.0, 50.0) == "12 s left: 64 replicates"
