"""The advantage relative to the group, as language models are trained with."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Claim, ControlVariate, Problem, ScoredSamples, Traits
from estimators.interface.refusals import at_least
from estimators.registry import register_control_variate

__all__ = ["GroupRelative"]


@final
@register_control_variate("group-relative")
@dataclass(frozen=True)
class GroupRelative(ControlVariate):
    r"""The advantage of GRPO in place of the cost, $(f_s - \bar f) / (\hat\sigma + \epsilon)$ over S samples.

    Biased: the mean contains the own sample, and $\hat\sigma$, the standard deviation of the group, rescales the
    gradient by what the group happened to be. Where all costs nearly agree the factor $1 / \hat\sigma$ explodes.
    Trains language models all the same, where each question is a group. Shao et al. 2024.
    """

    epsilon: float = 1e-4

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon < float("inf"):
            raise ValueError(f"epsilon must be finite and not negative, not {self.epsilon}")

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return at_least(2, num_samples, self.name)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased"

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        cost = samples.cost
        spread = cost.std(0) + self.epsilon
        # A group without any spread says nothing; 0 / 0 where epsilon is zero.
        advantage = torch.where(spread > 0, (cost - cost.mean(0)) / spread, 0.0)
        return (cost - advantage) * samples.score
