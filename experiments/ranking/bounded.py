"""What may not take more than its share."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from estimators.interface import Problem
from experiments.gradients.metering import NoneLeft, metered
from experiments.machine.deadline import TimeUp, deadline
from experiments.measuring.purse import Purse

__all__ = ["OutOfBudget", "bounded", "counted"]


class OutOfBudget(Exception):
    """It took more than its share."""


@contextmanager
def bounded(problem: Problem, purse: Purse) -> Iterator[None]:
    """Interrupt what takes more seconds, or more evaluations of a problem's cost, than a purse has: OutOfBudget.

    The evaluations are paid, where they are counted at all.
    """
    with ExitStack() as stack:
        counts = math.isfinite(purse.evaluations_left)
        meter = stack.enter_context(metered(problem, purse.evaluations_left)) if counts else None
        try:
            with deadline(purse.seconds_left):
                yield
        except (TimeUp, NoneLeft):
            raise OutOfBudget from None
        finally:
            if meter is not None:
                purse.pay(meter.evaluations)


@contextmanager
def counted(problem: Problem, purse: Purse) -> Iterator[None]:
    """Count all evaluations of a problem's cost for a purse that limits them; `NoneLeft` refuses what is too many."""
    if not math.isfinite(purse.evaluations):
        yield
        return
    with metered(problem, purse.evaluations) as meter:
        purse.counted = lambda: meter.evaluations
        yield
