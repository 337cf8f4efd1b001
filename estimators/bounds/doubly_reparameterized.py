"""The doubly reparameterized gradient."""

from dataclasses import dataclass, replace
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.bounds.bound import Bound, log_mean_weight, parted, relative_weights, samples
from estimators.interface import LatentVariableProblem, Noise, Params, Problem, Traits
from estimators.interface.refusals import score
from estimators.registry import register_estimator

__all__ = ["DReG"]


@final
@register_estimator("dreg")
@dataclass(frozen=True)
class DReG(Bound):
    r"""`iwae` with the encoder's score reparameterized as well.

    The encoder's gradient of the bound is $\sum_k \tilde w_k^2 \, \partial_z \log w_k \, \partial_\phi z_k$, with
    $\tilde w = w / \sum w$; the model's parameters are as in `iwae`, at a second evaluation of the log-weights.
    Unbiased for the gradient of the bound. Where q is the posterior, the encoder's gradient is zero without any noise;
    far from it, it can have more variance than `iwae`.
    Tucker et al. 2019.
    """

    @property
    def traits(self) -> Traits:
        return replace(super().traits, leaves_score_out=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return super().unsupported(problem, num_samples) or score(problem)

    def negative_bound(self, problem: LatentVariableProblem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        model, fixed = parted(problem, params)
        z = samples(problem, params, noise)
        at_fixed_z = problem.log_weights(z.detach(), model)
        through_z = problem.log_weights(z, fixed)
        squares = relative_weights(at_fixed_z) ** 2
        encoder = (squares * (through_z - through_z.detach())).sum((0, 2))
        return -log_mean_weight(at_fixed_z) - encoder

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return 2 * num_samples
