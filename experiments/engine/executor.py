"""Executors, which carry out the tasks of a run: what they promise, and the loop of those with several workers."""

import contextlib
import math
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import FrameType
from typing import Any, NamedTuple, final

from experiments.engine.work import Failure
from experiments.gradients.prepare import find_device
from experiments.sweep import Cell
from experiments.terminal.telling import Tell, untold

__all__ = [
    "INTERRUPTED",
    "Answers",
    "Concurrent",
    "Died",
    "Executor",
    "ExecutorLost",
    "Interrupts",
    "Task",
    "check_devices",
]

INTERRUPTED = Failure("interrupted", "interrupted before it was finished")
ATTEMPTS = 2
"""How often a task is tried whose worker dies: its death may not be the task's fault."""
POLL_SECONDS = 0.2


class Task(NamedTuple):
    """A function of `experiments.engine.work`, the cells that it is for, and its arguments but for whom to tell."""

    function: Callable[..., Any]
    cells: tuple[Cell, ...]
    arguments: tuple[Any, ...]

    @property
    def device(self) -> str:
        return self.cells[0].device

    @property
    def label(self) -> str:
        """What it is about, in words."""
        first, *others = self.cells
        what = f"{len(self.cells)} estimators" if others else first.estimator
        return f"{first.problem} · {what} · S={first.num_samples}"


Answers = Iterator[tuple[Task, Any]]
"""Tasks with what came of them: the value of the function, or a Failure."""


class Died(Exception):
    """A worker died while it carried out a task; the message gives the cause."""


class ExecutorLost(Exception):
    """No worker is left to carry out tasks; the message is one line that says what to do."""


class Interrupts:
    """Counts Ctrl-C while a run goes on: after the first no task begins, the second ends the running tasks."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._count = 0
        self._raising = False

    @property
    def requested(self) -> bool:
        return self._count > 0

    @property
    def at_once(self) -> bool:
        return self._count > 1

    def __enter__(self) -> "Interrupts":
        self._before = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """A block within which the second Ctrl-C raises KeyboardInterrupt."""
        self._raising = True
        try:
            yield
        finally:
            self._raising = False

    def stop(self) -> None:
        """Stop as after two Ctrl-C."""
        self._count = 2

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count == 1:
            self._say("finishing the cells that are running; Ctrl-C again stops them")
        elif self._raising:
            raise KeyboardInterrupt


def check_devices(devices: Sequence[str]) -> None:
    """ValueError: one of them is not on this machine."""
    for device in devices:
        find_device(device)


class Executor(ABC):
    """Carries out tasks. A context manager, which leaves no process behind."""

    @abstractmethod
    def check(self, devices: Sequence[str]) -> None:
        """Raises ValueError where there is no worker for one of the devices."""

    @abstractmethod
    def results(
        self, tasks: Sequence[Task], interrupts: Interrupts, *, alone: bool = False, tell: Tell = untold
    ) -> Answers:
        """Every task with what its function returned, or with the Failure that kept it from that, as they come.

        With `alone`, one task at a time. After an interrupt some tasks are left out. `tell` is told what is running.

        Raises:
            ExecutorLost: no worker is left to carry out the rest.
        """

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Stop what is running."""


class Concurrent(Executor):
    """An executor with several workers: hands out as many tasks as there are workers, and never more."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout

    @final
    def limit(self, task: Task) -> float | None:
        """Seconds that a task may take; None: no limit."""
        return None if self._timeout is None else self._timeout * len(task.cells)

    @final
    def stopped(self) -> Failure:
        """The failure of a task that was stopped at its limit."""
        return Failure("timeout", f"stopped at the limit of {self._timeout:g} s a cell")

    @abstractmethod
    def capacity(self) -> int:
        """How many tasks can run at this moment."""

    @abstractmethod
    def submit(self, task: Task) -> Future:
        """Begin a task."""

    @abstractmethod
    def answer(self, task: Task, future: Future) -> Any:
        """What came of a task that is over: its value or a Failure. Raises Died, ExecutorLost."""

    def overdue(self) -> list[Future]:
        """Tasks that will give no answer, or have given none in time. They are given up."""
        return []

    def results(
        self, tasks: Sequence[Task], interrupts: Interrupts, *, alone: bool = False, tell: Tell = untold
    ) -> Answers:
        waiting = deque((task, 1) for task in tasks)
        running: dict[Future, tuple[Task, int]] = {}
        while running or (waiting and not interrupts.requested):
            while waiting and not interrupts.requested and len(running) < (1 if alone else self.capacity()):
                task, attempt = waiting.popleft()
                running[self.submit(task)] = task, attempt
                tell(_running([task for task, _ in running.values()]), math.inf)
            over = wait(running, POLL_SECONDS, FIRST_COMPLETED).done | set(self.overdue())
            for future in over & running.keys():
                task, attempt = running.pop(future)
                try:
                    yield task, self.answer(task, future)
                except Died as death:
                    if attempt == ATTEMPTS:
                        yield task, Failure("failed", f"{death}, {ATTEMPTS} times", attempts=ATTEMPTS)
                    else:
                        waiting.appendleft((task, attempt + 1))
            if interrupts.at_once:
                self.close()
                yield from ((task, INTERRUPTED) for task, _ in running.values())
                return


def _running(tasks: Sequence[Task]) -> str:
    """Which tasks are running, the oldest by name."""
    return tasks[0].label + (f" and {len(tasks) - 1} more" if len(tasks) > 1 else "")
