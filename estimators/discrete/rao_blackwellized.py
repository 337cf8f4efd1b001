"""Local expectation gradients: each discrete variable summed over its states, the others sampled."""

from dataclasses import dataclass
from typing import final

import torch
import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem, Traits, attached, constant_cost
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.families import unwrap
from estimators.sampling.family import states_of
from estimators.sampling.states import Marked

__all__ = ["RaoBlackwellized"]

BLOCK_ELEMENTS = 2**18
"""Element-samples at which the cost is evaluated at a time."""
MAX_DIMENSIONS = 1024


@final
@register_estimator("rao-blackwellized")
@dataclass(frozen=True)
class RaoBlackwellized(Estimator):
    r"""The expectation over one variable at a time in closed form, given the others of the sample,

    $$\sum_i \sum_k \nabla_\theta p_i(k)\; \frac1S \sum_s f(x_s[x_i \to k]).$$

    Unbiased for any cost; where each variable has parameters of its own, never more variance than the score function's
    (variables that share one may be correlated to its advantage). The state that $x_i$ has already is not
    evaluated again: $1 + \sum_i (K_i - 1)$ evaluations a sample. Titsias & Lázaro-Gredilla 2015.
    """

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="in every state of each variable")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = unwrap(problem.initial_distribution)
        if not isinstance(states_of(q), Marked):
            return f"rao-blackwellized needs Bernoulli or OneHotCategorical variables, not {type(q).__name__}"
        if q.batch_shape.numel() > MAX_DIMENSIONS:
            return f"rao-blackwellized goes over at most {MAX_DIMENSIONS} variables, not {q.batch_shape.numel()}"
        return None

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        q = unwrap(problem.initial_distribution)
        return num_samples * (1 + q.batch_shape.numel() * (_states(q).classes(q) - 1))

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        q = unwrap(problem.distribution(params))
        x = families.values(q, noise)
        direct = problem.cost(x, params)
        with torch.no_grad():
            rise = _rises(problem, params, x, q) - direct.detach().unsqueeze(1).unsqueeze(1)
        classes, probabilities = _states(q).classes(q), _states(q).probabilities(q)
        marks = _states(q).marks(x).reshape(*x.shape[:2], -1, classes)
        # The state j steps after the one that x_i has: `rise` is 0 for j = 0.
        ahead = torch.stack([marks.roll(step, -1) for step in range(1, classes)])
        slopes = (rise.movedim(1, 0).movedim(2, -1).unsqueeze(-1) * ahead).sum(0).mean(0)
        return direct.mean(0) + attached(slopes, probabilities.reshape(slopes.shape))


def _states(q: td.Distribution) -> Marked:
    found = states_of(q)
    assert isinstance(found, Marked)
    return found


def _rises(problem: Problem, params: Params, x: Tensor, q: td.Distribution) -> Float[Tensor, "S J D R"]:
    """The cost with each variable in turn moved on by each of J = K − 1 steps."""
    steps = _states(q).classes(q) - 1
    dimensions = q.batch_shape[1:].numel()
    plain = x.reshape(*x.shape[:2], dimensions, *q.event_shape)
    moved = torch.stack([_states(q).moved(plain, step) for step in range(1, steps + 1)])
    pick = torch.eye(dimensions, dtype=torch.bool, device=x.device).reshape(dimensions, 1, 1, 1, dimensions)
    pick = pick.reshape(*pick.shape, *[1] * len(q.event_shape))
    blocks = []
    for block in pick.split(max(BLOCK_ELEMENTS // (steps * x.numel()), 1)):
        points = torch.where(block, moved, plain)  # [b, J, S, R, D, …]
        cost = constant_cost(problem, points.reshape(-1, *x.shape[1:]), params)
        blocks.append(cost.reshape(len(block), steps, *x.shape[:2]))
    return torch.cat(blocks).permute(2, 1, 0, 3)
