"""The second-order delta method as a control variate."""

from dataclasses import dataclass
from typing import final

import torch
import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.interface import ControlVariate, Problem, ScoredSamples, Traits
from estimators.interface.refusals import differentiable
from estimators.registry import register_control_variate
from estimators.sampling.events import as_vectors
from estimators.sampling.families import unwrap

__all__ = ["Taylor"]

MAX_DIMENSIONS = 1024


@final
@register_control_variate("taylor")
@dataclass(frozen=True)
class Taylor(ControlVariate):
    r"""The cost's second-order expansion around the mean of a Gaussian q, $\mu$, for which the moments are known:

    $$h(x) = f(\mu) + \nabla f(\mu)^\top (x-\mu) + \tfrac12 (x-\mu)^\top H(\mu) (x-\mu), \qquad
      \mathbb{E}[h] = f(\mu) + \tfrac12 \mathrm{tr}(H \Sigma).$$

    Subtracts $h(x) \nabla \log q(x)$ and adds its mean, $\nabla f^\top \nabla_\theta \mu + \tfrac12 \mathrm{tr}(H
    \nabla_\theta \Sigma)$. Unbiased; needs a Gaussian q and a cost that is twice differentiable in x. The Hessian costs
    one evaluation a dimension. Paisley, Blei & Jordan 2012; Mohamed et al. 2020, sec. 7.4.
    """

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="at the mean of x")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        if not isinstance(unwrap(q), td.Normal | td.MultivariateNormal):
            return f"taylor needs a Gaussian distribution, not {type(unwrap(q)).__name__}"
        if reason := differentiable(problem, self.name):
            return reason
        if q.event_shape.numel() > MAX_DIMENSIONS:
            return f"taylor needs the full Hessian: at most {MAX_DIMENSIONS} dimensions, not {q.event_shape.numel()}"
        return None

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return problem.initial_distribution.event_shape.numel()

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        mean = as_vectors(samples.q.mean, 1)
        value, slope, hessian = self._derivatives(samples)
        step = as_vectors(samples.x, 2) - mean.detach()
        curvature = (torch.einsum("srd,drj->srj", step, hessian) * step).sum(-1)
        h = value + (slope * step).sum(-1) + curvature / 2
        expected = (slope * mean).sum(-1) + _trace_with_covariance(hessian, unwrap(samples.q)) / 2
        return h * samples.score - (expected - expected.detach())

    @staticmethod
    def _derivatives(samples: ScoredSamples) -> tuple[Tensor, Tensor, Tensor]:
        """f `[R]`, its gradient `[R, D]` and Hessian `[D, R, D]` at the mean, from D copies of it.

        R = 1 where all replicates are at one point.
        """
        params = samples.point
        mean = samples.problem.distribution(params).mean.detach()
        dimensions = mean[0].numel()
        copies = mean.expand(dimensions, *mean.shape)

        def slope(x: Tensor) -> tuple[Tensor, Tensor]:
            def total(x: Tensor) -> tuple[Tensor, Tensor]:
                cost = samples.problem.cost(x, params)
                return cost.sum(), cost

            return torch.func.grad(total, has_aux=True)(x)

        gradient, pull_back, cost = torch.func.vjp(slope, copies, has_aux=True)  # pyright: ignore
        basis = torch.eye(dimensions, dtype=mean.dtype, device=mean.device)
        rows = basis.reshape(dimensions, 1, *mean.shape[1:]).expand_as(copies)
        (hessian,) = pull_back(rows)
        return cost[0].detach(), as_vectors(gradient[0], 1).detach(), as_vectors(hessian, 2).detach()


def _trace_with_covariance(hessian: Tensor, q: td.Distribution) -> Float[Tensor, " R"]:
    if isinstance(q, td.MultivariateNormal):
        return torch.einsum("drj,rjd->r", hessian, q.covariance_matrix)
    return (torch.diagonal(hessian, dim1=0, dim2=2) * as_vectors(q.variance, 1)).sum(-1)
