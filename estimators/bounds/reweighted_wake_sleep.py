"""Reweighted wake-sleep, with the wake phase for the encoder."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.bounds.bound import Bound, fixed_samples, log_mean_weight, parted, relative_weights
from estimators.interface import Claim, LatentVariableProblem, Noise, Params, Problem, Traits
from estimators.registry import register_estimator

__all__ = ["ReweightedWakeSleep"]


@final
@register_estimator("reweighted-wake-sleep")
@dataclass(frozen=True)
class ReweightedWakeSleep(Bound):
    r"""The encoder follows the inclusive divergence KL(p(z|x) ‖ q), $-\sum_k \tilde w_k \, \partial \log q(z_k|x)$.

    Any q. The model's parameters are as in `iwae`. Self-normalised: biased both for the bound and, at finite K, for the
    inclusive divergence.
    Bornschein & Bengio 2015; Le et al. 2019.
    """

    @property
    def traits(self) -> Traits:
        return Traits("score function", independent_samples=True, log_weights=True)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased"

    def negative_bound(self, problem: LatentVariableProblem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        z = fixed_samples(problem, params, noise)
        log_q = problem.log_q(z, params)
        log_weights = problem.log_joint(z.x, parted(problem, params)[0]) - log_q.detach()
        encoder = (relative_weights(log_weights) * (log_q - log_q.detach())).sum((0, 2))
        return -log_mean_weight(log_weights) - encoder
