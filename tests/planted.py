"""Estimators that claim to be unbiased whatever they compute, and what the test says of them."""

from dataclasses import dataclass, field

from torch import Tensor

from estimators.interface import ControlVariate, Estimator, Problem, ScoredSamples, Traits
from estimators.pathwise import Pathwise
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

__all__ = ["QUADRATIC", "Honest", "OwnMean", "verdict"]

QUADRATIC = "gaussian-quadratic:dim=2"


@dataclass(frozen=True)
class Honest(Estimator):
    """Whatever its base computes, it claims to be unbiased."""

    base: Estimator = field(default_factory=Pathwise)

    def draw(self, problem, params, num_samples, source):
        return self.base.draw(problem, params, num_samples, source)

    def surrogate(self, problem, params, noise):
        return self.base.surrogate(problem, params, noise)


@dataclass(frozen=True)
class OwnMean(ControlVariate):
    """The mean cost of all samples as baseline, the own one included."""

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, costs_alone=True)

    def term(self, samples: ScoredSamples) -> Tensor:
        return samples.cost.mean(0) * samples.score


def verdict(problem: Problem, estimator: Estimator, num_samples: int, replicates: int = 400_000) -> Measurement:
    work = prepare(problem, estimator, num_samples)
    assert work.estimator.claim(problem, num_samples) == "unbiased"
    return estimate(work, find_reference(work), Stop(replicates=replicates))
