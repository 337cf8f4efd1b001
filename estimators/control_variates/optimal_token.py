"""A baseline for each token, weighed by how uncertain the answers were up to it (OTB)."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.answers import Over, beside_scores, needs_a_policy, of_tokens, weighed_mean
from estimators.interface import Claim, ControlVariate, Problem, ScoredSamples, Traits
from estimators.interface.refusals import at_least
from estimators.programs import Program
from estimators.registry import register_control_variate

__all__ = ["OptimalToken"]


@final
@register_control_variate("optimal-token")
@dataclass(frozen=True)
class OptimalToken(ControlVariate):
    r"""The optimal token baseline, $b_t = \sum_s W_{st} f_{st} / \sum_s W_{st}$ of the costs $f_{st}$ after token t.

    The weights $W_{st} = \sum_{j \le t} \big(1 - 2 \pi(a_{sj}) + \sum_b \pi_{sj}(b)^2\big)$ are squared norms of the
    scores in the logits, summed up to the token: what stands for the squared norm of an answer's score without a
    backward pass for each. As training libraries have it, the mean contains the own sample: biased. With `over=others`
    it does not, and is unbiased for independent samples.
    Li et al. 2026 (OTB); Greensmith, Bartlett & Baxter 2004.
    """

    over: Over = "all"

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, f"{cls.name}:over=others"]

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if reason := needs_a_policy(problem, self.name) or at_least(2, num_samples, self.name):
            return reason
        assert isinstance(problem, Program)
        continuous = [variable.name for variable in problem.layout.variables if variable.kind != "discrete"]
        return f'{self.name} needs tokens, and "{continuous[0]}" is continuous' if continuous else None

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased" if self.over == "all" else "unbiased"

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        weight = beside_scores(samples, of_tokens(samples).energy.cumsum(1))
        return weighed_mean(samples.cost, weight, self.over) * samples.score
