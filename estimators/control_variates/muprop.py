"""MuProp: the first-order mean-field expansion as a control variate."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.expansions import without_mean
from estimators.interface import ControlVariate, Problem, ScoredSamples, Traits
from estimators.registry import register_control_variate
from estimators.sampling.events import event_sum

__all__ = ["MuProp"]


@final
@register_control_variate("muprop")
@dataclass(frozen=True)
class MuProp(ControlVariate):
    r"""The cost's first-order expansion around the mean of q, $\mu(\theta)$,

    $$h(x) = f(\mu) + \nabla f(\mu)^\top (x - \mu), \qquad
      \nabla_\theta \mathbb{E}[h] = \nabla f(\mu)^\top \nabla_\theta \mu(\theta).$$

    Subtracts $h(x) \nabla \log q(x)$ and adds the gradient of its mean. Unbiased, also for discrete x; needs a q whose
    mean is known and a cost that is differentiable there. One more evaluation of the cost. Gu et al. 2016.
    """

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="at the mean of x")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return without_mean(problem, "muprop")

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return 1

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        value, slope = self._expansion(samples)
        mean = samples.q.mean
        h = value + event_sum(slope * (samples.x - mean.detach()), 2)
        expected = event_sum(slope * mean, 1)
        return h * samples.score - (expected - expected.detach())

    @staticmethod
    def _expansion(samples: ScoredSamples) -> tuple[Tensor, Tensor]:
        """f `[R]` and its gradient `[R, *E]` at the mean; R = 1 where all replicates are at one point."""

        def total(x: Tensor) -> tuple[Tensor, Tensor]:
            cost = samples.problem.cost(x, samples.point)
            return cost.sum(), cost

        mean = samples.problem.distribution(samples.point).mean.detach()
        slope, cost = torch.func.grad(total, has_aux=True)(mean.unsqueeze(0))
        return cost[0].detach(), slope[0].detach()
