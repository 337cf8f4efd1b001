"""Sticking the landing: the path derivative alone."""

from dataclasses import dataclass, replace
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.bounds.bound import Bound, log_mean_weight, parted, samples
from estimators.interface import Claim, LatentVariableProblem, Noise, Params, Problem, Traits
from estimators.interface.refusals import score
from estimators.registry import register_estimator

__all__ = ["StickingTheLanding"]


@final
@register_estimator("sticking-the-landing")
@dataclass(frozen=True)
class StickingTheLanding(Bound):
    r"""`iwae` without the score of q in the weights, $\partial \log q(z|x) / \partial \phi$ at fixed z.

    That score has mean zero for K = 1, where this is unbiased; for K > 1 it is biased in the encoder. Where q is the
    posterior, the encoder's gradient is zero without any noise.
    Roeder, Wu & Duvenaud 2017.
    """

    @property
    def traits(self) -> Traits:
        return replace(super().traits, leaves_score_out=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return super().unsupported(problem, num_samples) or score(problem)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "unbiased" if num_samples == 1 else "biased"

    def negative_bound(self, problem: LatentVariableProblem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return -log_mean_weight(problem.log_weights(samples(problem, params, noise), parted(problem, params)[0]))
