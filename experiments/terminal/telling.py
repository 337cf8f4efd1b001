"""How what takes long says how far it is, to whoever shows it."""

import math
from collections.abc import Callable

from experiments.terminal.numbers import duration

__all__ = ["Tell", "about", "told", "untold"]

Tell = Callable[[str, float], object]
"""Is told what is being done, and in how many seconds that ends; infinite: nobody knows."""

SOON = 2.0
"""Seconds after which something has taken long."""


def untold(what: str, left: float) -> None:
    """Says it to nobody."""


def about(label: str, tell: Tell) -> Tell:
    """Says it, and of what."""
    return lambda what, left: tell(f"{what} · {label}", left)


def told(what: str, left: float, since: float) -> str:
    """What is being done in words, after the seconds that are left, or that it has taken so far: these are not cut."""
    if math.isfinite(left):
        return f"{duration(max(left, 0.0))} left: {what}"
    return f"{duration(since)} so far: {what}" if since >= SOON else what
