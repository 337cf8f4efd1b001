"""What an estimator estimates the gradient of."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

from estimators.interface.params import Params
from estimators.interface.problem import Problem

__all__ = ["EXPECTED_COST", "ExpectedCost", "Objective"]


class Objective(ABC):
    """A function of the parameters whose gradient is estimated. Only errors in one objective can be compared."""

    name: str
    """The name in results: errors in objectives of one name are compared."""
    measured_by: ClassVar[tuple[str, ...]] = ()
    """Specs to measure the gradient with where `exact` is unknown, of several mechanisms (`Traits.mechanism`), which
    check each other. Without any, the objective then has no reference."""
    of_samples: int = 0
    """With how many samples it is defined, and measured, where it is another one for each number; 0: it is the same."""

    without_reference: str = ""
    """Why there is no reference where `exact` is unknown and nobody measures one, as a sentence; '': it is plain."""

    @abstractmethod
    def exact(self, problem: Problem, params: Params, num_samples: int) -> Params | None:
        """The gradient at parameters `[R, *shape]`, in float64; None: unknown."""


@final
@dataclass(frozen=True)
class ExpectedCost(Objective):
    """The expected cost of a problem, E[f]."""

    name: str = "expected cost"
    measured_by: ClassVar[tuple[str, ...]] = (
        "pathwise",
        "score-function:control_variate=leave-one-out",
    )

    def exact(self, problem: Problem, params: Params, num_samples: int) -> Params | None:
        return problem.exact_gradient(params)


EXPECTED_COST = ExpectedCost()
