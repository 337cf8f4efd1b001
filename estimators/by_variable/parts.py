"""The parts of a `per-variable`: which of them is asked for and serves no variable."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from estimators.programs.variables import Variable

if TYPE_CHECKING:
    from estimators.by_variable.per_variable import PerVariable

__all__ = ["PARTS", "idle"]

PARTS = ("continuous", "discrete", "there")


def idle(divided: "PerVariable", variables: Sequence[Variable]) -> str | None:
    """Why a part that differs from its default would do nothing, as a sentence; None: each serves a variable."""
    usual = type(divided)()
    for part in PARTS:
        estimator = getattr(divided, part)
        served = [variable for variable in variables if divided.part(variable) == part]
        if isinstance(estimator, type(divided)):
            if served and (reason := idle(estimator, served)):
                return reason
        elif estimator.spec == getattr(usual, part).spec and not (part == "there" and divided.at):
            continue
        if not served:
            return _useless(divided, part, variables)
    return None


def _useless(divided: "PerVariable", part: str, variables: Sequence[Variable]) -> str:
    asked = f"{part}={getattr(divided, part).spec}"
    if part != "there":
        left = "left" if divided.at else "there"
        return f"no {part} variable is {left} for {asked}"
    if not divided.at:
        return f"{asked} needs at, a pattern of names of variables, such as at={variables[0].name}"
    return f"no variable matches at={divided.at}: there are {', '.join(variable.name for variable in variables)}"
