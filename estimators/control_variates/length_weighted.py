"""The mean cost of the group, weighed by the lengths of the answers, as baseline (OPO)."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.answers import Over, beside_scores, needs_a_policy, of_tokens, weighed_mean
from estimators.interface import Claim, ControlVariate, Problem, ScoredSamples, Traits
from estimators.interface.refusals import at_least
from estimators.registry import register_control_variate

__all__ = ["LengthWeighted"]


@final
@register_control_variate("length-weighted")
@dataclass(frozen=True)
class LengthWeighted(ControlVariate):
    r"""The baseline of OPO, the mean cost weighed by the lengths, $b = \sum_s L_s f_s / \sum_s L_s$.

    It is the baseline of least variance where the squared norm of an answer's score is proportional to the number $L$
    of its tokens, those that count (`sample(name, q, counts=…)`). As published, and as training libraries have it, the
    mean contains the own sample: biased. With `over=others` it does not, and is unbiased for independent samples.
    Hao et al. 2025.
    """

    over: Over = "all"

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, f"{cls.name}:over=others"]

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return needs_a_policy(problem, self.name) or at_least(2, num_samples, self.name)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased" if self.over == "all" else "unbiased"

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        counts = of_tokens(samples).counts
        lengths = beside_scores(samples, counts.sum(1, keepdim=True).expand_as(counts))
        return weighed_mean(samples.cost, lengths, self.over) * samples.score
