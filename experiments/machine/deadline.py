"""An end for what may take too long."""

import gc
import math
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

__all__ = ["TimeUp", "deadline"]


SOON = 1e-3
"""Seconds until it is tried again where nothing may be interrupted."""
AGAIN = 0.5
"""Seconds until it rings once more, for code that catches everything."""
CHANGES = ("__enter__", "__exit__")
"""Methods that change what holds for everybody, or undo that: torch.no_grad would stay for good."""
DEAF = "__del__"
"""What is raised when an object dies is printed, and goes no further."""


class TimeUp(BaseException):
    """The time is over. No Exception, as KeyboardInterrupt is none: code that catches any of those does not stop it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer, by `TimeUp`, where Ctrl-C would interrupt it: between two steps of Python.

    An import, the way into a context or out of it, and what is called when an object dies or memory is collected, come
    to their ends first. Derivatives are taken afterwards as they were before, whatever was interrupted.
    Nothing is interrupted outside the main thread, or where the system has no timers. A deadline within another ends
    with that if it is the earlier one.
    """
    able = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not able or not math.isfinite(seconds):
        yield
        return
    active = [True]
    gradients = torch.is_grad_enabled()

    def ring(_: int, frame: FrameType | None) -> None:
        if not active[0]:
            return
        if _may_not_stop(frame):
            signal.setitimer(signal.ITIMER_REAL, SOON)
        else:
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
            raise TimeUp

    began, before = time.monotonic(), signal.getsignal(signal.SIGALRM)
    outer = signal.getitimer(signal.ITIMER_REAL)[0]
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(min(seconds, outer or math.inf), 1e-3))
    try:
        yield
    finally:
        active[0] = False
        # optimizers of torch and compiled code turn them off and on without any context
        torch.set_grad_enabled(gradients)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - began), 1e-3))


def _may_not_stop(frame: FrameType | None) -> bool:
    """Whether a context is entered or left, or a module imported, which would stay half done, or nobody would hear."""
    collecting = {getattr(one, "__code__", None) for one in gc.callbacks}
    while frame is not None:
        name = frame.f_code.co_name
        if name in CHANGES or name == DEAF or frame.f_code in collecting or _hears_of_a_death(frame):
            return True
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _hears_of_a_death(frame: FrameType) -> bool:
    """Whether it is what a weak reference calls, with itself, when its object dies: nobody hears what it raises."""
    given = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    return any(isinstance(one := frame.f_locals.get(name), weakref.ref) and one() is None for name in given)
