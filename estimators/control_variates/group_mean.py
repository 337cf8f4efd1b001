"""The mean cost of all samples as baseline, the own one among them (Dr. GRPO)."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.interface import Claim, ControlVariate, Problem, ScoredSamples, Traits
from estimators.interface.refusals import at_least
from estimators.registry import register_control_variate

__all__ = ["GroupMean"]


@final
@register_control_variate("group-mean")
@dataclass(frozen=True)
class GroupMean(ControlVariate):
    r"""The mean cost of the group as baseline, $\bar f = \frac1S \sum_s f(x_s)$: Dr. GRPO, GRPO without the deviation.

    Biased: the mean contains the own sample, so that what weighs the scores is $\frac{S-1}{S}$ of `leave-one-out` in
    every group. The gradient is too small by exactly that factor, in the right direction: a learning rate that is
    $\frac{S}{S-1}$ times as large makes up for it.
    Liu et al. 2025 (Dr. GRPO).
    """

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return at_least(2, num_samples, self.name)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased"

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        return samples.cost.mean(0) * samples.score
