"""The slopes of the cost, expanded around the mean of q."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import PathControl, PathSamples, Problem, Traits, distinct, slopes_and_products
from estimators.path_controls.gaussian import (
    block_size,
    directions,
    in_blocks,
    noisy_part,
    quadratic_term,
    without_moments,
)
from estimators.registry import register_control_variate
from estimators.sampling.events import event_sum

__all__ = ["Linearized"]

MOST = 1024
"""Coordinates of a block whose second derivatives are all taken."""


@final
@register_control_variate("linearized")
@dataclass(frozen=True)
class Linearized(PathControl):
    r"""The slope of the cost as a linear function of x, $\nabla f(\mu) + H(\mu)(x - \mu)$, for a Gaussian q.

    `curvature=full` takes all of H at the mean, one evaluation of the cost for each coordinate (of a latent-variable
    problem: of a data point), up to 1024: the surrogate is the second-order expansion of the cost, whose expectation
    is known, in $\mu$ and in $\Sigma$. `products` takes $H (x_s - \mu)$ alone, one evaluation for each sample, in any
    dimension. The mean of its products with the noise is then unknown, so that the scales keep theirs:

    $$\nabla f(\mu)^\top \nabla_\theta (x - \mu) + (x - \mu)^\top H \, \nabla_\theta \mu.$$

    Unbiased; nothing is learned. Needs a cost that is differentiable in x; where its slope jumps, it gains less.
    Miller, Foti, D'Amour & Adams 2017.
    """

    curvature: Literal["full", "products"] = "full"

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, f"{cls.name}:curvature=products"]

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="at the mean of x")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if reason := without_moments(problem, self.name):
            return reason
        size = block_size(problem)
        few = self.curvature == "products" or size <= MOST
        return None if few else f"{self.name} takes up to {MOST} coordinates, not {size}: use curvature=products"

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return num_samples if self.curvature == "products" else block_size(problem)

    def term(self, samples: PathSamples) -> Float[Tensor, "S R"]:
        return self._by_products(samples) if self.curvature == "products" else self._by_matrix(samples)

    @staticmethod
    def _by_products(samples: PathSamples) -> Float[Tensor, "S R"]:
        mean, x = samples.q.mean, samples.x
        step = (x - mean).detach()
        slope, products = slopes_and_products(noisy_part(samples.problem), mean.expand_as(x), step, samples.params)
        centre = mean - mean.detach()
        return event_sum(slope * (x - x.detach() - centre) + products * centre, 2)

    @staticmethod
    def _by_matrix(samples: PathSamples) -> Float[Tensor, "S R"]:
        """At one point where all replicates are at one."""
        problem, point = samples.problem, distinct(samples.problem, samples.params)
        mean = problem.distribution(point).mean.detach()
        along = directions(problem, mean)
        slopes, rows = slopes_and_products(noisy_part(problem), mean.expand_as(along), along, point)
        slope, matrix = in_blocks(problem, slopes[0], 1), torch.movedim(in_blocks(problem, rows, 2), 0, -2)
        path, centre = in_blocks(problem, samples.x, 2), in_blocks(problem, samples.q.mean, 1)
        return quadratic_term(samples, path, centre, slope, matrix)
