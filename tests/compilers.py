"""Workloads to be compiled, and what stands for the compiler."""

from typing import Any

from estimators.interface import Estimator
from estimators.registry import make_estimator, make_problem
from experiments.gradients.compiling import Compile
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

__all__ = ["QUADRATIC", "Given", "estimated", "work"]
QUADRATIC = "gaussian-quadratic:dim=2"


def work(estimator: str | Estimator, problem: str = QUADRATIC, compile: Compile = False, seed: int = 0) -> Workload:
    made = make_estimator(estimator) if isinstance(estimator, str) else estimator
    return prepare(make_problem(problem), made, 4, compile=compile, seed=seed)


def estimated(workload: Workload, **stop: Any) -> Measurement:
    return estimate(workload, find_reference(workload), Stop(**stop))


class Given:
    """Stands for torch.compile: hands back what it was given, and remembers that it was asked."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, function: Any, **options: Any) -> Any:
        self.asked = True
        return function
