"""ARMS: more than two samples of binary x, pairwise antithetic."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem, Traits, attached
from estimators.interface.refusals import at_least, binary, score
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling.events import beside
from estimators.sampling.families import unwrap
from estimators.sampling.states import finite_logits

__all__ = ["ARMS"]


@final
@register_estimator("arms")
@dataclass(frozen=True)
class ARMS(Estimator):
    r"""Leave-one-out over S mutually antithetic samples, corrected for their correlation $\rho$:

    $$\frac{1}{S-1} \sum_s (f(b_s) - \bar f)\, \frac{b_s - p}{1 - \rho}.$$

    The bits come from uniforms of a Dirichlet copula, $u_s = (1 - d_s)^{S-1}$, d uniform on the simplex, mirrored where
    that makes $\rho$ smaller (p above one half). Unbiased for any cost; S of at least 2, and with two it is DisARM.
    Dimitriev & Zhou 2021.
    """

    @property
    def traits(self) -> Traits:
        return Traits(structured=False)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return binary(problem, self.name) or score(problem) or at_least(2, num_samples, self.name)

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q = problem.distribution(params)
        exponential = -source.stream("simplex").uniform((num_samples, *q.batch_shape, *q.event_shape)).log()
        return exponential / exponential.sum(0)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        logits = finite_logits(unwrap(problem.distribution(params)))
        # The rarer of the two values of a bit, with a probability above 0: a value that never comes has the slope zero.
        rare = (-logits.detach().abs()).sigmoid().clamp(min=torch.finfo(logits.dtype).tiny)
        event = _events(noise, rare)
        b = torch.where(logits.detach() > 0, 1 - event, event)
        direct = problem.cost(b, params)
        cost = direct.detach()
        centred = beside(cost - cost.mean(0), b)
        slopes = (centred * (event - rare)).sum(0) / (len(b) - 1) / (1 - _correlation(rare, len(b)))
        return direct.mean(0) + attached(slopes * torch.where(logits.detach() > 0, -1.0, 1.0), logits)


def _events(d: Tensor, rare: Tensor) -> Tensor:
    """Whether u = (1 − d)^(S−1) is below `rare`: d is large then, and few large d fit on the simplex."""
    return ((len(d) - 1) * torch.log1p(-d) < rare.log()).to(d.dtype)


def _correlation(rare: Tensor, num_samples: int) -> Tensor:
    """The correlation of two of the events: P(both) = max(0, 1 − 2 t)^(S−1), where P(one) = (1 − t)^(S−1)."""
    t = -torch.expm1(rare.log() / (num_samples - 1))
    both = (1 - 2 * t).clamp(min=0) ** (num_samples - 1)
    return (both - rare**2) / (rare * (1 - rare))
