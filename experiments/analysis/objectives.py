"""Estimators whose errors can be compared, since they estimate one gradient."""

from functools import cache

from estimators.registry import make_estimator

__all__ = ["aside", "has_own_objective"]


@cache
def has_own_objective(spec: str) -> bool:
    """Whether an estimator's target is another gradient than that of the expected cost, such as a bound of K samples.

    False where the estimator is not known here: a run may hold estimators of plug-ins.
    """
    try:
        return make_estimator(spec).traits.log_weights
    except ValueError:
        return False


def aside(spec: str) -> str:
    """Why an estimator is not compared with others; '' where it is."""
    if has_own_objective(spec):
        return "other objective"
    return "yardstick" if spec.partition(":")[0] == "exact" else ""
