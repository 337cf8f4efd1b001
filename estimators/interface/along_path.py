"""Estimators that differentiate the cost along one path a sample: x as a function of the parameters."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface.estimator import Estimator, Noise
from estimators.interface.params import Params
from estimators.interface.problem import Problem
from estimators.noise import NoiseSource

__all__ = ["AlongPath"]


class AlongPath(Estimator):
    """The derivative of the mean cost of S values of x, each a function of q's parameters and of noise.

    Such a value can also be passed on to what comes after it in a program: `per-variable`.
    """

    @abstractmethod
    def without_path(self, q: Distribution) -> str | None:
        """Why values of q are no such functions, as a sentence; None: they are."""

    @abstractmethod
    def path_noise(self, q: Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        """The noise of S values for each of the R distributions in the batch of q."""

    @abstractmethod
    def path(self, q: Distribution, noise: Tensor) -> Tensor:
        """x, or what the cost is evaluated at in its place, with its derivative; in a run of a program, without R."""

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        return self.path_noise(problem.distribution(params), num_samples, source)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return problem.cost(self.path(problem.distribution(params), noise), params).mean(0)
