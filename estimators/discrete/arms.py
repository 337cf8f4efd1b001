"""ARMS: more than two samples, pairwise antithetic, of binary x; of categorical x it is CARMS."""

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.discrete.sticks import first_stick
from estimators.interface import Estimator, Noise, Params, Problem, Traits, attached
from estimators.interface.refusals import at_least, binary, score
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling.events import beside
from estimators.sampling.families import unwrap
from estimators.sampling.family import is_one_hot
from estimators.sampling.states import OneHot, finite_logits

__all__ = ["ARMS"]


@final
@register_estimator("arms")
@dataclass(frozen=True)
class ARMS(Estimator):
    r"""Leave-one-out over S mutually antithetic samples, corrected for their correlation $\rho$:

    $$\frac{1}{S-1} \sum_s (f(b_s) - \bar f)\, \frac{b_s - p}{1 - \rho}.$$

    The bits come from uniforms of a Dirichlet copula, $u_s = (1 - d_s)^{S-1}$, d uniform on the simplex, mirrored where
    that makes $\rho$ smaller (p above one half). Unbiased for any cost; S of at least 2, and with two it is DisARM.

    Categorical x is made of K − 1 such bits, $x = k$ at the first that is 1, the rarest category first. Each pair of
    samples is weighted by how much rarer it is than if the two were independent, for each variable,

    $$\frac{1}{S(S-1)} \sum_{s \ne t} r(x_s, x_t)\, (f(x_s) - f(x_t))\, \nabla \log p(x_s), \qquad
      r(j, k) = \frac{p_j\, p_k}{P(x_s = j, x_t = k)}, \quad r(k, k) = 0.$$

    Dimitriev & Zhou 2021, "ARMS"; categorical: Dimitriev & Zhou 2021, "CARMS".
    """

    @property
    def traits(self) -> Traits:
        return Traits(structured=False)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        reason = None if is_one_hot(problem.initial_distribution) else binary(problem, self.name)
        return reason or score(problem) or at_least(2, num_samples, self.name)

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q: Any = unwrap(problem.distribution(params))
        sticks = (q.event_shape[0] - 1,) if is_one_hot(q) else ()
        exponential = -source.stream("simplex").uniform((num_samples, *q.batch_shape, *sticks)).log()
        return exponential / exponential.sum(0)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        q = unwrap(problem.distribution(params))
        return (_of_classes if is_one_hot(q) else _of_bits)(problem, params, q, noise)


def _of_bits(problem: Problem, params: Params, q: Any, noise: Tensor) -> Float[Tensor, " R"]:
    logits = finite_logits(q)
    # The rarer of the two values of a bit, with a probability above 0: a value that never comes has the slope zero.
    rare = (-logits.detach().abs()).sigmoid().clamp(min=torch.finfo(logits.dtype).tiny)
    event = _events(noise, rare)
    b = torch.where(logits.detach() > 0, 1 - event, event)
    direct = problem.cost(b, params)
    cost = direct.detach()
    centred = beside(cost - cost.mean(0), b)
    slopes = (centred * (event - rare)).sum(0) / (len(b) - 1) / (1 - _correlation(rare, len(b)))
    return direct.mean(0) + attached(slopes * torch.where(logits.detach() > 0, -1.0, 1.0), logits)


def _of_classes(problem: Problem, params: Params, q: Any, noise: Tensor) -> Float[Tensor, " R"]:
    log_p, p = OneHot().log_probabilities(q), q.probs.detach()
    order = p.argsort(dim=-1, stable=True)
    ascending = p.gather(-1, order)
    rest = ascending.flip(-1).cumsum(-1).flip(-1)
    rare = (ascending / rest)[..., :-1].clamp(min=torch.finfo(p.dtype).tiny)
    ranked = first_stick(_events(noise, rare))
    x = torch.zeros_like(ranked).scatter(-1, order.expand_as(ranked), ranked)
    direct = problem.cost(x, params)
    cost = direct.detach()
    centred = beside(cost - cost.mean(0), x)
    slopes = _slopes(ranked.sum(0), (centred * ranked).sum(0), _ratios(rare, len(x))) / (len(x) * (len(x) - 1))
    return direct.mean(0) + attached(slopes, log_p.gather(-1, order))


def _slopes(count: Tensor, cost: Tensor, ratio: Tensor) -> Tensor:
    """The sum over pairs, from the number of samples in each category `[…, K]` and the sum of their costs."""

    def of_others(value: Tensor) -> Tensor:
        weighted = ratio * value
        before, after = weighted.cumsum(-1) - weighted, value.flip(-1).cumsum(-1).flip(-1) - value
        return before + ratio * after

    return cost * of_others(count) - count * of_others(cost)


def _ratios(rare: Tensor, num_samples: int) -> Tensor:
    """r of two samples of which one stops at each stick and the other goes on `[…, K]`; 0 for the last category."""
    correlation = _correlation(rare, num_samples)
    passed = (1 / (1 + correlation * rare / (1 - rare)))[..., :-1].cumprod(-1)
    edge = torch.ones_like(rare[..., :1])
    return torch.cat([torch.cat([edge, passed], -1) / (1 - correlation), 0 * edge], -1)


def _events(d: Tensor, rare: Tensor) -> Tensor:
    """Whether u = (1 − d)^(S−1) is below `rare`: d is large then, and few large d fit on the simplex."""
    return ((len(d) - 1) * torch.log1p(-d) < rare.log()).to(d.dtype)


def _correlation(rare: Tensor, num_samples: int) -> Tensor:
    """The correlation of two of the events: P(both) = max(0, 1 − 2 t)^(S−1), where P(one) = (1 − t)^(S−1)."""
    t = -torch.expm1(rare.log() / (num_samples - 1))
    both = (1 - 2 * t).clamp(min=0) ** (num_samples - 1)
    return (both - rare**2) / (rare * (1 - rare))
