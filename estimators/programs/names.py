"""Names that a program has for its own use, and a model must not give to what belongs to it."""

from estimators.interface import Problem
from estimators.programs.faults import ProgramError

__all__ = ["check_names"]

OF_A_MODEL = {"run"}
"""What a model defines of what a program has."""
OF_A_PROGRAM = {"cost", "cost_of", "distribution"}
"""What a problem defines, and a program has from its runs."""


def check_names(made: type, base: type) -> None:
    """ProgramError: a class of one's own has an attribute by such a name."""
    if made.__module__.partition(".")[0] == "estimators":
        return
    own = {name for name in vars(base) if not name.startswith("__")} - set(vars(Problem)) - OF_A_MODEL
    given = {*vars(made), *vars(made).get("__annotations__", {})}
    for name in sorted(given & (own | OF_A_PROGRAM)):
        raise ProgramError(
            f'{made.__name__} has an attribute "{name}", which every program has for its own use: give it another name'
        )
