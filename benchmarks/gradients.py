"""Time of gradients, for every estimator variant that is registered, each on the first problem that it supports."""

from benchmarks.cases import CASES, DEVICES, home
from benchmarks.steps import steps

__all__ = ["Gradients"]


class Gradients:
    """The time of one gradient, and of a chunk of replicates.

    With a `setup`, asv times one call a sample and calls it between samples: the steps are made once a process.
    """

    param_names = ("estimator", "device")
    params = (list(CASES), DEVICES)
    rounds = 4
    repeat = (5, 50, 0.5)
    timeout = 120

    def setup(self, estimator: str, device: str) -> None:
        self.one, self.many = steps(estimator, home(estimator), device)

    def time_gradient(self, estimator: str, device: str) -> None:
        """Latency of one gradient."""
        self.one()

    def time_replicates(self, estimator: str, device: str) -> None:
        """A full chunk of replicates."""
        self.many()
