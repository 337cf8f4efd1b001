"""An end for what may take too long."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TimeUp", "deadline"]


class TimeUp(BaseException):
    """The time is over. No Exception, as KeyboardInterrupt is none: code that catches any of those does not stop it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer, by `TimeUp`, where Ctrl-C would interrupt it: between two steps of Python.

    Nothing is interrupted outside the main thread, or where the system has no timers. A deadline within another ends
    with that if it is the earlier one.
    """
    able = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not able or not math.isfinite(seconds):
        yield
        return
    active = [True]

    def ring(*_: object) -> None:
        if active[0]:
            raise TimeUp

    began, before = time.monotonic(), signal.getsignal(signal.SIGALRM)
    outer = signal.getitimer(signal.ITIMER_REAL)[0]
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(min(seconds, outer or math.inf), 1e-3))
    try:
        yield
    finally:
        active[0] = False
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - began), 1e-3))
