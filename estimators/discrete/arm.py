"""Estimators for binary x from coupled samples: ARM, and DisARM, which splits categorical x into binary sticks."""

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.discrete.sticks import first_stick, reached
from estimators.interface import Estimator, Noise, Params, Problem, attached
from estimators.interface.refusals import binary, even, score
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling.events import beside
from estimators.sampling.families import unwrap
from estimators.sampling.family import is_one_hot
from estimators.sampling.states import OneHot, finite_logits

__all__ = ["ARM", "DisARM"]


def _pairs(problem: Problem, params: Params, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The costs of both sides `[S/2, R]`, detached, and the mean cost `[R]` with its direct gradient."""
    cost = problem.cost(torch.cat([first, second]), params)
    one, other = cost.detach().chunk(2)
    return one, other, cost.mean(0)


@final
@register_estimator("arm")
@dataclass(frozen=True)
class ARM(Estimator):
    r"""Augment-REINFORCE-merge in the logits of binary x, $\ell$, with $p = \sigma(\ell)$ and u uniform:

    $$\nabla_\ell \mathbb{E}[f] = \mathbb{E}\big[(f(1[u > 1-p]) - f(1[u < p]))\, (u - \tfrac12)\big].$$

    An antithetic pair takes two of the S samples.
    Unbiased for any cost. Yin & Zhou 2019.
    """

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return binary(problem, self.name) or score(problem) or even(num_samples, self.name, "draws antithetic pairs")

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q = problem.distribution(params)
        return source.uniform((num_samples // 2, *q.batch_shape, *q.event_shape))

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        logits = _logits(problem, params)
        p = logits.detach().sigmoid()
        above, below = (noise > 1 - p).to(noise.dtype), (noise < p).to(noise.dtype)
        one, other, mean = _pairs(problem, params, above, below)
        return mean + attached((beside(one - other, noise) * (noise - 0.5)).mean(0), logits)


@final
@register_estimator("disarm")
@dataclass(frozen=True)
class DisARM(Estimator):
    r"""ARM integrated over the uniforms given the antithetic pair $b, \tilde b$ (U2G is the same estimator):

    $$\tfrac12 (f(b) - f(\tilde b))\, (-1)^{\tilde b}\, 1[b \ne \tilde b]\, \sigma(|\ell|).$$

    Categorical x is made of K − 1 binary sticks, $x = k$ at the first stick that is 1, whose logits are
    $\log p_k - \log \sum_{j > k} p_j$; sticks beyond both samples are left out, as they have mean zero.
    Unbiased for any cost, never more variance than ARM. A pair takes two of the S samples.
    Dong, Mnih & Tucker 2020; Yin, Ho, Yan, Qian & Zhou 2020; categorical: Dong, Mnih & Tucker 2021.
    """

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        reason = None if is_one_hot(problem.initial_distribution) else binary(problem, self.name)
        return reason or score(problem) or even(num_samples, self.name, "draws antithetic pairs")

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q: Any = unwrap(problem.distribution(params))
        sticks = (q.event_shape[0] - 1,) if is_one_hot(q) else ()
        return source.uniform((num_samples // 2, *q.batch_shape, *sticks))

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        q = unwrap(problem.distribution(params))
        logits = _sticks(q)
        p = logits.detach().sigmoid()
        b, mirrored = (noise < p).to(noise.dtype), (1 - noise < p).to(noise.dtype)
        categorical = is_one_hot(q)
        sides = (first_stick(b), first_stick(mirrored)) if categorical else (b, mirrored)
        one, other, mean = _pairs(problem, params, *sides)
        factor = (b - mirrored) * logits.detach().abs().sigmoid() / 2
        if categorical:
            factor = factor * torch.maximum(reached(b), reached(mirrored))
        return mean + attached((beside(one - other, noise) * factor).mean(0), logits)


def _logits(problem: Problem, params: Params) -> Tensor:
    return finite_logits(unwrap(problem.distribution(params)))


def _sticks(q: Any) -> Tensor:
    """The logits of the binary variables: of x itself, or of the sticks `[…, K − 1]` that make a category."""
    if not is_one_hot(q):
        return finite_logits(q)
    log_p = OneHot().log_probabilities(q)
    rest = log_p.flip(-1).logcumsumexp(-1).flip(-1)[..., 1:]
    return log_p[..., :-1] - rest
