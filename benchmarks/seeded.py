"""Numbers that follow from the code and the seed alone, and must not creep: variances, and evaluations of the cost."""

from typing import NamedTuple
from unittest.mock import patch

from benchmarks.cases import CASES, pair_of
from benchmarks.steps import steps, workload

__all__ = ["Numbers", "Seeded", "numbers"]

REPLICATES = 16_384


class Numbers(NamedTuple):
    """What is tracked of an estimator on a problem."""

    total_variance: float
    evaluations: int


PAIRS = {pair_of(estimator, problem): (estimator, problem) for estimator in CASES for problem in CASES[estimator]}


class Seeded:
    """Numbers that are all computed in one process: it takes longer to start one than to compute a number.

    asv starts one for each row even so, and therefore the rows are pairs that go together, and no others.
    """

    param_names = ("pair",)
    params = (list(PAIRS),)
    timeout = 1200

    def setup_cache(self) -> dict[str, Numbers | str]:
        """The numbers, or what went wrong."""
        found = {}
        for pair, case in PAIRS.items():
            try:
                found[pair] = numbers(*case)
            except NotImplementedError:  # an earlier commit
                continue
            except Exception as error:
                found[pair] = f"{type(error).__name__}: {error}"
        return found

    def setup(self, found: dict[str, Numbers | str], pair: str) -> None:
        if pair not in found:
            raise NotImplementedError(f"this commit does not have {pair}")
        numbers = found[pair]
        if isinstance(numbers, str):
            raise RuntimeError(numbers)
        self.numbers = numbers

    def track_total_variance(self, found: object, pair: str) -> float:
        """The trace of the covariance of one gradient estimate."""
        return self.numbers.total_variance

    def track_evaluations(self, found: object, pair: str) -> int:
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
