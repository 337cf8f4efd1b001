"""Estimators with one surrogate a sample."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface.estimator import Estimator
from estimators.interface.params import Params
from estimators.interface.problem import Problem
from estimators.sampling.families import Drawn

__all__ = ["PerSample"]


class PerSample(Estimator):
    """A mean over S points, each with a surrogate of its own; the points may be from a proposal, if weighted."""

    @abstractmethod
    def points(self, q: Distribution) -> Distribution:
        """The distribution of a point: q, or that of the noise of x. ValueError: it is not known."""

    @abstractmethod
    def terms(self, problem: Problem, params: Params, points: Drawn) -> Float[Tensor, "S R"]:
        """The surrogates of points `[S, R, *]`, whose expectation has the gradient of E[f]."""
