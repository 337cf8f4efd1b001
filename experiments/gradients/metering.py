"""How often the cost is evaluated, where nobody says so beforehand: in a fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import final

from torch import Tensor

from estimators.interface import Params, Problem

__all__ = ["Meter", "NoneLeft", "metered"]


class NoneLeft(BaseException):
    """No more evaluations are allowed. No Exception, so that code which catches any of those does not stop it."""


@final
@dataclass
class Meter:
    """What has been counted."""

    evaluations: int = 0


@contextmanager
def metered(problem: Problem, allowed: float) -> Iterator[Meter]:
    """Count the evaluations of a problem's cost, those of its copies included; `NoneLeft` refuses what is too many.

    The class of the problem is changed for that time. A call counts as many evaluations as it returns costs.
    """
    cls, meter = type(problem), Meter()
    own, cost = vars(cls).get("cost"), cls.cost

    @wraps(cost)
    def counted(self: Problem, x: Tensor, params: Params) -> Tensor:
        if meter.evaluations + x.shape[:2].numel() > allowed:
            raise NoneLeft
        found = cost(self, x, params)
        meter.evaluations += found.numel()
        return found

    type.__setattr__(cls, "cost", counted)
    try:
        yield meter
    finally:
        if own is None:
            type.__delattr__(cls, "cost")
        else:
            type.__setattr__(cls, "cost", own)
