"""Numbers that follow from the code and the seed alone, and must not creep: variances, and evaluations of the cost."""

from typing import NamedTuple
from unittest.mock import patch

from benchmarks.cases import CASES, PROBLEMS
from benchmarks.steps import require, steps, workload

__all__ = ["Numbers", "Seeded", "numbers"]

REPLICATES = 16_384


class Numbers(NamedTuple):
    """What is tracked of an estimator on a problem."""

    total_variance: float
    evaluations: int


class Seeded:
    """Numbers that are all computed in one process: it takes longer to start one than to compute a number."""

    param_names = ("estimator", "problem")
    params = (list(CASES), PROBLEMS)
    timeout = 1200

    def setup_cache(self) -> dict[tuple[str, str], Numbers | str]:
        """The numbers, or what went wrong."""
        found = {}
        for case in ((estimator, problem) for estimator in CASES for problem in CASES[estimator]):
            try:
                found[case] = numbers(*case)
            except NotImplementedError:  # an earlier commit
                continue
            except Exception as error:
                found[case] = f"{type(error).__name__}: {error}"
        return found

    def setup(self, found: dict[tuple[str, str], Numbers | str], estimator: str, problem: str) -> None:
        require(estimator, problem)
        if (estimator, problem) not in found:
            raise NotImplementedError(f"this commit does not have {estimator} on {problem}")
        numbers = found[estimator, problem]
        if isinstance(numbers, str):
            raise RuntimeError(numbers)
        self.numbers = numbers

    def track_total_variance(self, found: object, estimator: str, problem: str) -> float:
        """The trace of the covariance of one gradient estimate."""
        return self.numbers.total_variance

    def track_evaluations(self, found: object, estimator: str, problem: str) -> int:
        """Samples whose cost is computed for one gradient: counted, whatever the estimator says."""
        return self.numbers.evaluations

    track_total_variance.unit = "variance"
    track_evaluations.unit = "evaluations"


def numbers(estimator: str, problem: str) -> Numbers:
    from benchmarks.homes import estimate
    from experiments.sweep import Stop

    work = workload(estimator, problem)
    measurement = estimate(work, None, Stop(replicates=REPLICATES))
    return Numbers(measurement.total_variance.value, _counted(estimator, problem))


def _counted(estimator: str, problem: str) -> int:
    kind = type(workload(estimator, problem).problem)
    name = "log_joint" if hasattr(kind, "log_joint") else "cost"  # which calls it
    cost, count = getattr(kind, name), 0

    def counting(this, x, params):
        nonlocal count
        count += x.shape[0] * x.shape[1]
        return cost(this, x, params)

    one, _ = steps(estimator, problem, "cpu")
    with patch.object(kind, name, counting):
        one()
    return count
