"""Whose errors can be compared: estimators of one gradient."""

from functools import cache

from estimators.interface import Estimator
from estimators.registry import make_estimator

__all__ = ["competes", "has_own_objective"]


@cache
def has_own_objective(spec: str) -> bool:
    """Whether an estimator's target is another gradient than that of the expected cost, such as a bound of K samples.

    False where the estimator is not known here: a run may hold those of plug-ins.
    """
    try:
        return type(make_estimator(spec)).target is not Estimator.target
    except ValueError:
        return False


def competes(spec: str) -> bool:
    """Whether an estimator is compared with others: `exact` is the yardstick."""
    return spec.partition(":")[0] != "exact" and not has_own_objective(spec)
