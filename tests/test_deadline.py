"""What takes too long is interrupted, and leaves nothing half done; evaluations of a cost are counted."""

import gc
import math
import signal
import time
import weakref
from dataclasses import dataclass

import pytest
import torch
from measurements import Custom

from experiments.gradients.metering import NoneLeft, metered
from experiments.machine.deadline import TimeUp, deadline
from experiments.measuring.purse import Purse
from experiments.ranking.bounded import OutOfBudget, bounded

SHORT = 0.05


def for_ever() -> None:
    while True:
        try:
            torch.zeros(1).add(1)
        except Exception:
            continue


def test_what_takes_too_long_ends_whatever_it_catches() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeUp), deadline(SHORT):
        for_ever()
    assert signal.getsignal(signal.SIGALRM) == before and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    with deadline(SHORT):
        pass
    time.sleep(2 * SHORT)


def test_the_earlier_of_two_deadlines_holds() -> None:
    with pytest.raises(TimeUp), deadline(SHORT), deadline(60.0):
        for_ever()
    with pytest.raises(TimeUp), deadline(4 * SHORT):
        with pytest.raises(TimeUp), deadline(SHORT):
            for_ever()
        for_ever()


def test_without_an_end_nothing_is_interrupted() -> None:
    with deadline(math.inf):
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


@dataclass
class Slow:
    """A context that takes longer to leave than there is time."""

    left: bool = False

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        until = time.monotonic() + 3 * SHORT
        while time.monotonic() < until:
            pass
        self.left = True


def test_a_context_is_left_before_anything_is_interrupted() -> None:
    slow = Slow()
    with pytest.raises(TimeUp), deadline(SHORT):
        with slow:
            pass
        for_ever()
    assert slow.left


def keep_busy() -> None:
    until = time.monotonic() + 3 * SHORT
    while time.monotonic() < until:
        pass


class Dying:
    def __del__(self) -> None:
        keep_busy()


@pytest.mark.parametrize("watched_by", [None, "finalizer", "reference"])
def test_what_is_raised_while_an_object_dies_nobody_would_hear(watched_by: str | None) -> None:
    """It would be printed as a traceback, and the time would not be up."""
    began = time.monotonic()
    with pytest.raises(TimeUp), deadline(SHORT):
        dying = torch.zeros(1) if watched_by else Dying()
        if watched_by == "finalizer":
            weakref.finalize(dying, keep_busy)
        if watched_by == "reference":
            _watch = weakref.ref(dying, lambda _: keep_busy())
        del dying
        for_ever()
    assert time.monotonic() - began >= 3 * SHORT


def test_what_is_raised_while_memory_is_collected_nobody_would_hear() -> None:
    def busy(phase: str, _: dict[str, int]) -> None:
        if phase == "stop":
            keep_busy()

    gc.callbacks.append(busy)
    began = time.monotonic()
    try:
        with pytest.raises(TimeUp), deadline(SHORT):
            gc.collect()
            for_ever()
    finally:
        gc.callbacks.remove(busy)
    assert time.monotonic() - began >= 3 * SHORT


def test_gradients_are_on_after_an_interruption() -> None:
    """`torch.no_grad` is entered and left thousands of times meanwhile."""
    for _ in range(5):
        with pytest.raises(TimeUp), deadline(SHORT / 2):
            while True:
                with torch.no_grad():
                    torch.zeros(1).add(1)
        assert torch.is_grad_enabled()


def test_gradients_are_on_after_an_interruption_outside_of_any_context() -> None:
    """`torch.set_grad_enabled(False)` sets when it is made, before `with` enters it."""
    with pytest.raises(TimeUp), deadline(SHORT):
        torch.set_grad_enabled(False)
        for_ever()
    assert torch.is_grad_enabled()


def test_evaluations_are_counted_those_of_copies_too() -> None:
    problem = Custom()
    params = {name: value[None] for name, value in problem.initial_params().items()}
    with metered(problem, 100) as meter:
        problem.to("cpu", torch.float32).cost(torch.zeros(4, 5, 2), params)
        problem.cost(torch.zeros(4, 5, 2), params)
    assert meter.evaluations == 40
    problem.cost(torch.zeros(4, 5, 2), params)
    assert meter.evaluations == 40
    with pytest.raises(NoneLeft), metered(problem, 30):
        for _ in range(2):
            problem.cost(torch.zeros(4, 5, 2), params)
    assert not hasattr(problem.cost, "__wrapped__")


def test_who_takes_too_many_evaluations_is_out_of_budget_and_pays_for_them() -> None:
    problem, purse = Custom(), Purse(evaluations=50.0)
    params = {name: value[None] for name, value in problem.initial_params().items()}
    with bounded(problem, purse):
        problem.cost(torch.zeros(4, 5, 2), params)
    assert purse.evaluations_left == 30
    with pytest.raises(OutOfBudget), bounded(problem, purse):
        problem.cost(torch.zeros(4, 10, 2), params)
    assert purse.evaluations_left == 30
    with pytest.raises(OutOfBudget), bounded(problem, Purse(SHORT)):
        for_ever()
