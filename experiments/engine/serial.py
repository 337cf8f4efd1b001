"""Tasks one after the other, in this process."""

import contextlib
import sys
from collections.abc import Sequence
from typing import final

from experiments.engine.executor import INTERRUPTED, Answers, Executor, Interrupts, Task, check_devices
from experiments.terminal.telling import Tell, about, untold

__all__ = ["Serial"]


@final
class Serial(Executor):
    """Nothing to start and nothing to wait for; but a cell that crashes takes the run with it, until it is repeated."""

    def check(self, devices: Sequence[str]) -> None:
        check_devices(devices)

    def results(
        self, tasks: Sequence[Task], interrupts: Interrupts, *, alone: bool = False, tell: Tell = untold
    ) -> Answers:
        for task in tasks:
            if interrupts.requested:
                return
            try:
                # What a component prints is no result.
                with interrupts.raising(), contextlib.redirect_stdout(sys.stderr):
                    answer = task.function(*task.arguments, about(task.label, tell))
            except KeyboardInterrupt:
                interrupts.stop()
                yield task, INTERRUPTED
                return
            yield task, answer

    def close(self) -> None:
        pass
