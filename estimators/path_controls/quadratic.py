"""A quadratic surrogate of the cost, learned from its slopes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, PathControl, PathSamples, Problem, Traits, cost_slopes, learned
from estimators.learning.slopes import linear_fit, moments_of
from estimators.noise import NoiseSource
from estimators.path_controls.gaussian import (
    covariance_in_blocks,
    in_blocks,
    noisy_part,
    one_by_one,
    quadratic_term,
    without_moments,
)
from estimators.registry import register_control_variate
from estimators.sampling import families

__all__ = ["Quadratic"]

MOST = 64
"""Coordinates of a block whose full curvature is learned."""
DECAY = 0.9
"""Of the moments in training: curvatures at parameters of long ago can do worse than none."""
FIT_SAMPLES = 2_000
AT_A_TIME = 2**20
"""Entries of matrices of which one is made for each sample."""


@final
@register_control_variate("quadratic")
@dataclass(frozen=True)
class Quadratic(PathControl):
    r"""A learned quadratic in place of the cost, whose expectation under a Gaussian q is known:

    $$\hat g = \nabla_\theta f(x(\epsilon, \theta), \theta) - \big[\nabla_\theta \tilde f(x(\epsilon, \theta))
      - \nabla_\theta E \tilde f\big], \qquad
      \tilde f(x) = b^\top (x - \mu_0) + \tfrac12 (x - \mu_0)^\top B (x - \mu_0),$$

    $\mu_0 = \mu(\theta)$ held fixed; of a negative ELBO, f is all but log q(x), whose derivative has no noise along the
    path. Unbiased for any b and B. They are those of least variance of the gradients in the means and the log-scales of
    q, by least squares on the slopes of the cost: on samples of its own by `fit`, or over earlier steps in training,
    whose slopes cost another evaluation a sample there. (Its authors follow the gradient of the variance in the
    parameters, whatever these are.) `curvature=full` learns all of B, of a latent-variable problem for each data point,
    of up to 64 coordinates; `diagonal` fits any number.
    In training, the last ten steps count; on mini-batches, the data points at one place share what is learned there,
    and all of them the mean of what was learned of another number of points.
    Geffner & Domke 2020.
    """

    curvature: Literal["diagonal", "full"] = "diagonal"
    moments: Tensor | None = learned()
    """Means of the products that b and B follow from."""
    slope: Tensor | None = learned()
    matrix: Tensor | None = learned()
    """b `[R, *B, K]` and B `[R, *B, K, K]`."""

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, f"{cls.name}:curvature=full"]

    @property
    def traits(self) -> Traits:
        return Traits(own_parameters=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if reason := without_moments(problem, self.name):
            return reason
        size = self._size(problem)
        return None if size <= MOST else f"{self.spec} has up to {MOST} coordinates, not {size}: use curvature=diagonal"

    def term(self, samples: PathSamples) -> Float[Tensor, "S R"]:
        if self.slope is None or self.matrix is None:
            return samples.x.new_zeros(samples.x.shape[:2])
        path = self._blocks(samples.problem, samples.x, 2)
        mean = self._blocks(samples.problem, samples.q.mean, 1)
        slope, matrix = (_for_points(value, mean.shape[1]) for value in (self.slope, self.matrix))
        return quadratic_term(samples, path, mean, slope, matrix)

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Quadratic":
        q = problem.distribution(params)
        blocks = -(-FIT_SAMPLES * q.mean.numel() * self._size(problem) // AT_A_TIME)
        moments = torch.zeros(())
        for _ in range(blocks):
            x = families.values(q, families.noise(q, -(-FIT_SAMPLES // blocks), source))
            moments = moments + self._moments(PathSamples(problem, params, q, x)) / blocks
        return self._taught(moments, 0.0, q.mean.dtype)

    def update(self, samples: PathSamples) -> "Quadratic":
        new = self._moments(samples)
        moments = torch.lerp(new, self._known(new), DECAY)
        seen = float(moments[..., 0, 0].mean()) / (1 - DECAY) * len(samples.x)
        return self._taught(moments, 1 / seen, samples.x.dtype)

    def _known(self, new: Tensor) -> Tensor:
        """The moments of earlier steps, for the data points of this one: the last column alone grows with the cost."""
        if self.moments is None:
            return torch.zeros_like(new)
        if self.moments.shape == new.shape:
            return self.moments
        squares = self.moments[..., :-1].mean(1, keepdim=True)
        return torch.cat([squares, _for_points(self.moments[..., -1:], new.shape[1])], -1).expand_as(new)

    def _moments(self, samples: PathSamples) -> Tensor:
        problem = samples.problem
        slopes = cost_slopes(noisy_part(problem), samples.x, samples.params)
        x, slopes = (self._blocks(problem, value, 2) for value in (samples.x.detach(), slopes))
        mean = self._blocks(problem, samples.q.mean.detach(), 1)
        return moments_of(x - mean, slopes, covariance_in_blocks(samples.q, mean).detach())

    def _taught(self, moments: Tensor, shrinkage: float, dtype: torch.dtype) -> "Quadratic":
        slope, matrix = linear_fit(moments, shrinkage)
        return replace(self, moments=moments, slope=slope.to(dtype), matrix=matrix.to(dtype))

    def _size(self, problem: Problem) -> int:
        return self._blocks(problem, problem.initial_distribution.mean, 1).shape[-1]

    @property
    def _blocks(self) -> Callable[[Problem, Tensor, int], Tensor]:
        return in_blocks if self.curvature == "full" else one_by_one


def _for_points(learned: Tensor, points: int) -> Tensor:
    """What is proportional to the cost of each of N data points, for a batch, where each counts N / points."""
    known = learned.shape[1]
    return learned if known == points else learned.mean(1, keepdim=True) * (known / points)
