"""A variable that is drawn again in each run: which problem it is, and of how many samples."""

from estimators.by_variable.conditional import Conditional, conditional_at_start
from estimators.interface import Estimator, Problem
from estimators.programs import Program

__all__ = ["MOST", "branch", "least"]

MOST = 16
"""The most samples of one variable that an estimator is tried with."""


def branch(estimator: Estimator, program: Program, index: int) -> tuple[Conditional, int]:
    """A variable as a problem, and the samples that an estimator takes of it in each run."""
    sub = conditional_at_start(program, index)
    samples = least(estimator, sub)
    assert samples is not None
    return sub, samples


def least(estimator: Estimator, problem: Problem) -> int | None:
    """The fewest samples that an estimator can do with; None: it cannot do with any number."""
    key = "least", estimator.spec
    if key not in problem.trials:
        found = next((n for n in range(1, MOST + 1) if estimator.refusal(problem, n) is None), None)
        problem.trials[key] = None if found is None else str(found)
    kept = problem.trials[key]
    return None if kept is None else int(kept)
