"""Which estimator serves which variable of a program, in words."""

import re
from collections.abc import Sequence

from estimators.by_variable.per_variable import PerVariable
from estimators.interface import Problem
from estimators.programs import Program
from estimators.registry import make_estimator
from experiments.terminal.listing import listed

__all__ = ["by_variable"]


def by_variable(spec: str, problem: Problem) -> str:
    """What a `per-variable` does at each variable, as in “pathwise at z and x; disarm at bits”; '' of any other."""
    if spec.partition(":")[0] != PerVariable.name or not isinstance(problem, Program):
        return ""
    estimator = make_estimator(spec)
    assert isinstance(estimator, PerVariable)
    return "; ".join(f"{spec} at {_counted(names)}" for spec, names in estimator.served(problem).items())


def _counted(names: Sequence[str]) -> str:
    """Names that only count on, such as action0, action1 and action2, as the first and the last."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _next(runs[-1][-1]) == name:
            runs[-1].append(name)
        else:
            runs.append([name])
    parts = [part for run in runs for part in ([f"{run[0]} … {run[-1]}"] if len(run) > 2 else run)]
    return listed(parts)


def _next(name: str) -> str:
    """The name with the number after its own; '' of one without a number at its end."""
    found = re.fullmatch(r"(.*?)(\d+)", name)
    return f"{found[1]}{int(found[2]) + 1}" if found else ""
