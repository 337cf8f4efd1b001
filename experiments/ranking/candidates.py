"""The estimators that can be ranked on a problem."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from estimators.by_slopes.path_derivative import PathDerivative
from estimators.by_variable.per_variable import PerVariable
from estimators.dice import DiCE
from estimators.interface import Estimator, Problem
from estimators.pathwise import Pathwise
from estimators.programs import Program
from estimators.registry import every, make_estimator
from experiments.machine.errors import reason
from experiments.ranking.order import named
from experiments.ranking.same_estimates import same_estimates, same_gradients

__all__ = ["Candidates", "across", "candidates", "chosen"]


@dataclass(frozen=True)
class Candidates:
    """Specs: those that support a problem, why others do not, and how yet others failed to say."""

    supported: list[str] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)
    """Those that would support it but give the same estimates as one that does, and which one."""
    unsupported: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def candidates(problem: Problem, num_samples: int) -> Candidates:
    """Every variant of every registered estimator is asked, but for the exact gradient; forms alike count once."""
    found = Candidates()
    for spec in dict.fromkeys(every("estimator")):
        try:
            estimator = make_estimator(spec)
        except Exception as error:
            found.failed[spec] = reason(error)
            continue
        if not _asked(found, problem, estimator, num_samples):
            continue
        if (like := _like(problem, estimator, found.supported, num_samples)) is not None:
            found.same[estimator.spec] = like
        else:
            found.supported.append(estimator.spec)
    return found


def chosen(problem: Problem, num_samples: int, estimators: Sequence[Estimator]) -> Candidates:
    """The same of given estimators, whether or not they are alike."""
    found = Candidates()
    for estimator in estimators:
        if _asked(found, problem, estimator, num_samples):
            found.supported.append(estimator.spec)
    return found


def _asked(found: Candidates, problem: Problem, estimator: Estimator, num_samples: int) -> bool:
    """Whether it supports the problem; if not, why is noted."""
    try:
        why = estimator.refusal(problem, num_samples)
    except Exception as error:
        found.failed[estimator.spec] = reason(error)
        return False
    if why is not None:
        found.unsupported[estimator.spec] = why
    return why is None


def _like(problem: Problem, estimator: Estimator, others: Sequence[str], num_samples: int) -> str | None:
    """Which other estimator gives the same estimates.

    One form of x for another, an entropy whose formula changes nothing, all variables served by one, or a surrogate
    that differs in its second derivative alone.
    """
    if isinstance(estimator, PerVariable) and isinstance(problem, Program):
        same = estimator.same_as(problem)
        return same if same is not None and make_estimator(same).refusal(problem, num_samples) is None else None
    if isinstance(estimator, PathDerivative | DiCE):
        plain = Pathwise() if isinstance(estimator, PathDerivative) else estimator.of_first_order
        served = plain.refusal(problem, num_samples) is None
        return plain.spec if served and same_gradients(problem, plain, estimator) else None
    if not isinstance(estimator, Pathwise):
        return None
    pathwise = (other for other in map(make_estimator, others) if isinstance(other, Pathwise))
    forms = (other for other in pathwise if other.control_variate == estimator.control_variate)
    return next((other.spec for other in forms if same_estimates(problem, other, estimator)), None)


def across(reasons: Mapping[int, Mapping[str, str]]) -> dict[str, str]:
    """What is said of estimators with each number of samples, once where it is the same with all of them."""
    told: dict[str, str] = {}
    for num_samples, of in reasons.items():
        for spec, why in of.items():
            always = all(other.get(spec) == why for other in reasons.values())
            told[spec if always else named(spec, num_samples)] = why
    return told
