"""The theorems of Bonnet and Price."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Claim, Estimator, Noise, Params, Problem, Traits, slopes_and_products
from estimators.interface.smooth import smooth_in_x
from estimators.path_controls.gaussian import (
    block_size,
    directions,
    expected_quadratic,
    in_blocks,
    noisy_part,
    steady_part,
    without_moments,
)
from estimators.registry import register_estimator
from estimators.sampling import families

__all__ = ["BonnetPrice"]

MOST = 64
"""Coordinates of a block: each takes an evaluation of the cost for each sample."""


@final
@register_estimator("bonnet-price")
@dataclass(frozen=True)
class BonnetPrice(Estimator):
    r"""First and second derivatives of the cost in place of the noise of a Gaussian q,

    $$\nabla_\mu E f = E\, \nabla f(x), \qquad \nabla_\Sigma E f = \tfrac12 E\, \nabla^2 f(x), \qquad
      \text{so that}\ \nabla_\sigma E f = \sigma\, E f''(x),$$

    each at S samples, and by the chain rule in $\theta$. In the scales it has no noise where the cost is quadratic, and
    more than `pathwise` where the second derivative varies more than slope times noise. All second derivatives of a
    sample are taken, one evaluation of the cost for each coordinate (of a latent-variable problem: of a data point), up
    to 64. The entropy in a negative ELBO is taken by its formula.

    Unbiased where the slope of the cost is continuous. Where it jumps, as with ReLU, second derivatives leave the jumps
    out: the estimator is refused.
    Bonnet 1964; Price 1958; Rezende, Mohamed & Wierstra 2014.
    """

    @property
    def traits(self) -> Traits:
        return Traits("pathwise")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if reason := without_moments(problem, self.name):
            return reason
        size = block_size(problem)
        if size > MOST:
            return f"{self.name} takes up to {MOST} coordinates, not {size}"
        return smooth_in_x(problem)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "unbiased"

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return num_samples * (1 + block_size(problem))

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        q, part = problem.distribution(params), noisy_part(problem)
        x = families.values(q, noise)
        units = directions(problem, x[0]).unsqueeze(1).expand(-1, *x.shape)
        copies = x.expand_as(units)
        slopes, products = slopes_and_products(part, copies.flatten(0, 1), units.flatten(0, 1), params)
        slope = in_blocks(problem, slopes[: len(x)].mean(0), 1)
        rows = in_blocks(problem, products.unflatten(0, units.shape[:2]).mean(1), 2)
        moved = expected_quadratic(q, in_blocks(problem, q.mean, 1), slope, torch.movedim(rows, 0, -2))
        return part(x, params).mean(0) + steady_part(problem, q) + moved - moved.detach()
