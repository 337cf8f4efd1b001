"""The asv suite: time of gradients, for every estimator variant that is registered, on a few problems."""

import torch
from torch.distributions import Distribution

from estimators.interface import Estimator
from estimators.registry import components, make_estimator, make_problem
from experiments.workload import prepare

NUM_SAMPLES = 10
PROBLEMS = ["gaussian-quadratic", "bernoulli-toy", "logistic-regression"]


def variants() -> list[str]:
    specs = [spec for cls in components("estimator").values() if issubclass(cls, Estimator) for spec in cls.variants()]
    return [make_estimator(spec).spec for spec in specs]


class Gradients:
    """Noise and gradient: one as a training step pays it, and a chunk of many as `measure` does."""

    param_names = ("estimator", "problem")
    params = (variants(), PROBLEMS)

    def setup(self, estimator: str, problem: str) -> None:
        torch.set_num_threads(1)
        Distribution.set_default_validate_args(False)
        built, target = make_estimator(estimator), make_problem(problem)
        if reason := built.unsupported(target, NUM_SAMPLES):
            raise NotImplementedError(reason)
        self.workload = prepare(target, built, NUM_SAMPLES)
        self.source = self.workload.source("timing")

    def time_gradient(self, estimator: str, problem: str) -> None:
        self.step(1)

    def time_chunk(self, estimator: str, problem: str) -> None:
        self.step(self.workload.chunk)

    def step(self, replicates: int) -> None:
        self.workload.gradient(self.workload.params(replicates), self.workload.draw(self.source, replicates))
