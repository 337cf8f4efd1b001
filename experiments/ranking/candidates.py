"""The estimators that can be ranked on a problem."""

from dataclasses import dataclass, field

from estimators.interface import Problem
from estimators.registry import components, make_estimator
from experiments.machine.errors import reason

__all__ = ["Candidates", "candidates"]


@dataclass(frozen=True)
class Candidates:
    """Specs: those that support a problem, why others do not, and how yet others failed to say."""

    supported: list[str] = field(default_factory=list)
    unsupported: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def candidates(problem: Problem, num_samples: int) -> Candidates:
    """Every variant of every registered estimator is asked, but for the exact gradient."""
    specs = [spec for name, cls in components("estimator").items() if name != "exact" for spec in cls.variants()]
    found = Candidates()
    for spec in dict.fromkeys(specs):
        try:
            estimator = make_estimator(spec)
            why = estimator.unsupported(problem, num_samples)
        except Exception as error:
            found.failed[spec] = reason(error)
            continue
        if why is None:
            found.supported.append(estimator.spec)
        else:
            found.unsupported[estimator.spec] = why
    return found
