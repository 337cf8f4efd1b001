"""An estimator of the gradient of E[f(x)], x ~ q(x; θ): `gradmark check my_estimator.py`."""

from dataclasses import dataclass

from estimators import (
    Claim,
    Estimator,
    Noise,
    Params,
    Problem,
    Traits,
    drawn,
    register_estimator,
)
from torch import Tensor

__all__ = ["MyEstimator"]


@register_estimator("my-estimator")
@dataclass(frozen=True)
class MyEstimator(Estimator):
    r"""The score function with a share w of the other samples' mean cost as baseline.

    $\frac1S \sum_s (f(x_s) - w\, b_s)\, \nabla_\theta \log q(x_s; \theta)$,
    $b_s = \frac{1}{S-1} \sum_{r \neq s} f(x_r)$.

    Unbiased for any q with a density. Author & Author 2024.
    """

    # Options, each with a default: `my-estimator:weight=0.5`.
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """A baseline from the other samples needs independent samples."""
        return Traits(independent_samples=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        """Why it cannot be used here, as a sentence."""
        return "it needs two samples or more" if num_samples < 2 else None

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        """What it promises; `gradmark check` holds it to that."""
        return "unbiased"

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        """A scalar for each of R replicates, [R], whose gradient is the estimate.

        Nothing random happens here: noise was drawn before, R times for S samples.
        """
        q = problem.distribution(params)
        # Constants; `estimators.sample` gives them as functions of params.
        samples = drawn(q, noise)
        cost = problem.cost(samples.x, params)  # [S, R]
        fixed = cost.detach()
        others = (fixed.sum(0) - fixed) / (len(fixed) - 1)
        # log q(x), also where x has rounded to the edge of its support.
        log_q = samples.log_prob(q)  # [S, R]
        # What is there only for its gradient is A * (y - y.detach()), which is zero:
        # so the value of the surrogate stays the mean cost.
        term = (fixed - self.weight * others) * (log_q - log_q.detach())
        return (cost + term).mean(0)
