r"""The bound of K samples, $L_K = \sum_n E[\log \frac1K \sum_k w_{kn}]$ with $w = p(x, z) / q(z|x)$.

Costs are minimised: what is estimated is the gradient of $-L_K$. Burda, Grosse & Salakhutdinov 2016.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from estimators.interface import (
    EXPECTED_COST,
    Estimator,
    LatentVariableProblem,
    Noise,
    Objective,
    Params,
    Problem,
    Traits,
)
from estimators.interface.refusals import differentiable_samples, score
from estimators.sampling import families

__all__ = [
    "Bound",
    "BoundOfSamples",
    "fixed_samples",
    "log_mean_weight",
    "needs_latents",
    "parted",
    "relative_weights",
    "samples",
]


@final
@dataclass(frozen=True)
class BoundOfSamples(Objective):
    """The negative bound of K samples; no formula gives its gradient."""

    of_samples: int
    measured_by: ClassVar[tuple[str, ...]] = ("dreg", "iwae", "vimco")

    @property
    def name(self) -> str:  # pyright: ignore
        return f"bound of {self.of_samples} samples"

    def exact(self, problem: Problem, params: Params, num_samples: int) -> Params | None:
        return None


class Bound(Estimator):
    """An estimator that needs the log-weights of a latent-variable problem; `num_samples` is K."""

    @property
    def traits(self) -> Traits:
        return Traits("pathwise", independent_samples=True, differentiates_samples=True, log_weights=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if reason := needs_latents(problem):
            return reason
        return differentiable_samples(problem) if self.traits.differentiates_samples else score(problem)

    @final
    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        assert isinstance(problem, LatentVariableProblem)
        return problem.data_weight * self.negative_bound(problem, params, noise)

    @abstractmethod
    def negative_bound(self, problem: LatentVariableProblem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        """The surrogate, each data point counted once."""

    @final
    def objective(self, problem: Problem, num_samples: int) -> Objective:
        """The bound of K samples, which for K = 1 is the expected cost: the negative ELBO."""
        return EXPECTED_COST if num_samples == 1 else self.bound(num_samples)

    def bound(self, num_samples: int) -> Objective:
        """The bound of two samples or more."""
        return BoundOfSamples(num_samples)


def needs_latents(problem: Problem) -> str | None:
    """Refuses a problem without latent variables."""
    if isinstance(problem, LatentVariableProblem):
        return None
    return "bounds need a latent-variable problem: a LatentProgram, or log_joint(z, params) and posterior(params)"


def samples(problem: LatentVariableProblem, params: Params, noise: Tensor) -> Float[Tensor, "K R N *D"]:
    """z, as a function of the parameters where q allows it."""
    return families.sample(problem.distribution(params), noise)


def fixed_samples(problem: LatentVariableProblem, params: Params, noise: Tensor) -> families.Drawn:
    """z, detached, with what it was made of."""
    return families.drawn(problem.distribution(params), noise)


def log_mean_weight(log_weights: Float[Tensor, "K R N"]) -> Float[Tensor, " R"]:
    """log (1/K) Σ w, summed over the data points."""
    return (log_weights.logsumexp(0) - math.log(len(log_weights))).sum(-1)


def relative_weights(log_weights: Float[Tensor, "K R N"]) -> Float[Tensor, "K R N"]:
    """w / Σ w, detached."""
    return log_weights.detach().softmax(0)


def parted(problem: LatentVariableProblem, params: Params) -> tuple[Params, Params]:
    """The parameters with the encoder's detached, and all detached."""
    model = {name: value.detach() if name in problem.encoder_names else value for name, value in params.items()}
    return model, {name: value.detach() for name, value in params.items()}
