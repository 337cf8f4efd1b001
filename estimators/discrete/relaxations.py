r"""Continuous relaxations of discrete x: $x = \mathrm{hard}(z)$ of a Gumbel or logistic z, and $z \mid x$.

A sample of q is a function of a continuous z(u; θ), of which `soft` is a smoothed version; `conditional` draws z again
given the sample. Both are differentiable in θ. Shapes are those of x, `[S, R, *E]`, categorical x one-hot.
Maddison, Mnih & Teh 2017; Jang, Gu & Poole 2017; Tucker et al. 2017.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, final

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import one_hot, softplus

from estimators.interface import Problem
from estimators.sampling.families import unwrap

__all__ = ["Relaxation", "check_temperature", "relaxation", "unrelaxed"]


class Relaxation(ABC):
    """How one kind of discrete variable is relaxed. `q` is what `unwrap` finds inside any `Independent`."""

    @abstractmethod
    def perturbed(self, q: Any, u: Tensor) -> Tensor:
        """z of uniforms, differentiable in the parameters."""

    @abstractmethod
    def hard(self, z: Tensor) -> Tensor:
        """The sample that z stands for, without a gradient."""

    @abstractmethod
    def soft(self, z: Tensor, temperature: Tensor | float) -> Tensor:
        """The sample smoothed; it tends to `hard` as the temperature tends to 0."""

    @abstractmethod
    def conditional(self, q: Any, x: Tensor, v: Tensor) -> Tensor:
        """z given the sample, of fresh uniforms, differentiable in the parameters."""


@final
class Binary(Relaxation):
    """z = logit − logit(u) > 0, the same x = 1[u < p] that the quantile function gives."""

    def perturbed(self, q: Any, u: Tensor) -> Tensor:
        return q.logits - torch.logit(u)

    def hard(self, z: Tensor) -> Tensor:
        return (z > 0).to(z.dtype)

    def soft(self, z: Tensor, temperature: Tensor | float) -> Tensor:
        return torch.sigmoid(z / temperature)

    def conditional(self, q: Any, x: Tensor, v: Tensor) -> Tensor:
        above = softplus(torch.logit(v) + softplus(q.logits))
        below = -softplus(torch.logit(v) + softplus(-q.logits))
        return torch.where(x > 0.5, above, below)


@final
class Categorical(Relaxation):
    """z = log p + Gumbel noise, x the largest; given which, the others are truncated below it."""

    def perturbed(self, q: Any, u: Tensor) -> Tensor:
        return q.logits.log_softmax(-1) - (-u.log()).log()

    def hard(self, z: Tensor) -> Tensor:
        return one_hot(z.argmax(-1), z.shape[-1]).to(z.dtype)

    def soft(self, z: Tensor, temperature: Tensor | float) -> Tensor:
        return (z / temperature).softmax(-1)

    def conditional(self, q: Any, x: Tensor, v: Tensor) -> Tensor:
        level = (-v.log()).log()
        top = (level * x).sum(-1, keepdim=True)
        others = torch.logaddexp(level - q.logits.log_softmax(-1), top)
        return -torch.where(x > 0.5, top, others)


RELAXATIONS: dict[type[td.Distribution], Relaxation] = {
    td.Bernoulli: Binary(),
    td.OneHotCategorical: Categorical(),
}


def relaxation(q: td.Distribution) -> Relaxation:
    """The relaxation of a distribution that `unrelaxed` does not refuse."""
    return RELAXATIONS[type(unwrap(q))]


def unrelaxed(problem: Problem) -> str | None:
    """Why the x of a problem cannot be relaxed, as a sentence; None: it can."""
    kind = type(unwrap(problem.initial_distribution))
    if kind not in RELAXATIONS:
        hint = ", which takes a OneHotCategorical" if kind is td.Categorical else ""
        return f"there is no relaxation of {kind.__name__}{hint}"
    if not problem.differentiable:
        return "a relaxed sample needs a cost that is differentiable in x"
    return None


def check_temperature(temperature: float) -> None:
    """ValueError: it is not positive and finite."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be positive and finite, not {temperature}")
