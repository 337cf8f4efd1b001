"""Costs less the mean of the whole batch, over its deviation (REINFORCE++)."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.answers import beside_scores, needs_a_policy, of_tokens
from estimators.interface import Claim, ControlVariate, Problem, ScoredSamples, Traits
from estimators.interface.refusals import at_least
from estimators.registry import register_control_variate

__all__ = ["BatchNormalized"]


@final
@register_control_variate("batch-normalized")
@dataclass(frozen=True)
class BatchNormalized(ControlVariate):
    r"""The advantage of REINFORCE++ in place of the cost, $(f_{st} - m) / (\hat\sigma + \epsilon)$, of the whole batch.

    m and $\hat\sigma$ are mean and deviation of the costs after each token that counts (`sample(name, q, counts=…)`),
    over all samples and all contexts of the batch. Biased: both contain the own sample, and $\hat\sigma$ rescales the
    gradient by what the batch happened to be. That fades as the batch grows; that all tokens share one mean and are
    divided by a deviation does not. Needs a program.
    Hu, Liu, Xu & Shen 2025 (REINFORCE++).
    """

    epsilon: float = 1e-4

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon < float("inf"):
            raise ValueError(f"epsilon must be finite and not negative, not {self.epsilon}")

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return needs_a_policy(problem, self.name) or at_least(2, num_samples, self.name)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased"

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        cost, axes = samples.cost, tuple(range(samples.cost.ndim - 1))
        counts = beside_scores(samples, of_tokens(samples).counts) if samples.variables else torch.ones_like(cost)
        number = counts.sum(axes)
        centred = cost - (counts * cost).sum(axes) / number
        spread = ((counts * centred**2).sum(axes) / (number - 1)).sqrt() + self.epsilon
        advantage = torch.where(spread > 0, centred / spread, 0.0)
        return (cost - advantage) * samples.score
