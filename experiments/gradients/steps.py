"""A step of a measurement: parameters and a source of noise in, gradient estimates out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch

from estimators.interface import Estimator, Noise, Params, Problem
from estimators.noise import IID

__all__ = ["Eager", "Step"]


class Step(ABC):
    """Gradient estimates of an estimator on a problem, `[R, *shape]`; same state of the source, same estimates."""

    @abstractmethod
    def __call__(self, params: Params, source: IID) -> Params:
        """The estimates."""


@final
@dataclass(frozen=True)
class Eager(Step):
    """Operation by operation, as a training step does it."""

    problem: Problem
    estimator: Estimator
    num_samples: int

    def __call__(self, params: Params, source: IID) -> Params:
        return self.gradient(params, self.noise(params, source))

    def noise(self, params: Params, source: IID) -> Noise:
        with torch.no_grad():
            return self.estimator.draw(self.problem, params, self.num_samples, source)

    def gradient(self, params: Params, noise: Noise) -> Params:
        return self.estimator.gradient(self.problem, params, noise)
