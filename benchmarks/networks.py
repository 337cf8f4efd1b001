"""Networks through `ReplicatedModule`: their gradients, the whole of a measurement, and what it occupies."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from estimators.interface import Estimator, Problem
    from experiments.gradients.workload import Workload

__all__ = ["Networks"]

REPLICATES, MEASURED = 64, 512


class Networks:
    """Of the cases of `nox -s peers`: G, a policy of 8,580 weights, and I, an autoencoder of 22,880."""

    param_names = ("case",)
    params = (["G", "I"],)
    rounds = 2
    repeat = (3, 20, 0.5)
    timeout = 300

    def setup(self, case: str) -> None:
        self.work = workload(case)
        self.point = self.work.params(REPLICATES)
        self.source = self.work.source("timing")

    def time_network_gradients(self, case: str) -> None:
        """64 gradients, noise included."""
        self.work.gradient(self.point, self.work.draw(self.source, REPLICATES))

    def time_network_measure(self, case: str) -> None:
        """Preparing and measuring 512 replicates, without a reference."""
        measure_once(case)

    def peakmem_network_measure(self, case: str) -> None:
        """The same."""
        measure_once(case)


@cache
def workload(name: str) -> "Workload":
    import torch
    from torch.distributions import Distribution

    from benchmarks.homes import prepare

    torch.set_num_threads(1)
    Distribution.set_default_validate_args(False)
    return prepare(*made(name))


def measure_once(name: str) -> None:
    from benchmarks.homes import estimate, prepare
    from experiments.sweep import Stop

    estimate(prepare(*made(name)), None, Stop(replicates=MEASURED))


def made(name: str) -> "tuple[Problem, Estimator, int]":
    """A new problem, its estimator and the number of samples. NotImplementedError: an earlier commit."""
    try:
        from benchmarks.peers.networks import new_problem
    except ImportError as error:  # which does not export what such a problem is made of
        raise NotImplementedError(str(error)) from None
    from benchmarks.peers.work import CASES
    from estimators.registry import make_estimator

    (case,) = (case for case in CASES if case.name == name)
    return new_problem(case), make_estimator(case.estimator), case.num_samples
