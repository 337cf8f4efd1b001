"""Checks of a problem's options."""

import math
from typing import Literal, get_args, get_origin

from estimators.interface import Problem, specs

__all__ = ["MAX_SIZE", "check_options"]

MAX_SIZE = 2**26


def check_options(problem: Problem, **at_least: float) -> None:
    """ValueError unless every number is finite, every choice known, and each named option at least its minimum.

    No whole number may be above `MAX_SIZE`, a size that no gradient could hold. A minimum of zero is excluded: such an
    option has to be positive.
    """
    kinds = specs.option_types(type(problem))
    for name in specs.options(type(problem)):
        value = getattr(problem, name)
        if get_origin(kinds[name]) is Literal:
            specs.check_known(f"value of {name}:", value, get_args(kinds[name]))
        elif not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, not {value}")
        elif kinds[name] is int and value > MAX_SIZE:
            raise ValueError(f"{name} must be at most {MAX_SIZE:,}, not {value:,}")
    for name, minimum in at_least.items():
        value = getattr(problem, name)
        if value < minimum or value == minimum == 0:
            wanted = f"at least {minimum}" if minimum else "positive"
            raise ValueError(f"{name} must be {wanted}, not {value}")
