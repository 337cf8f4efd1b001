"""Double control variates: the leave-one-out estimator with linear expansions at the other samples."""

from dataclasses import dataclass, replace
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.expansions import others, without_mean
from estimators.interface import ControlVariate, Params, Problem, ScoredSamples, Traits, cost_slopes, learned
from estimators.interface.refusals import at_least
from estimators.learning.coefficients import of_costs
from estimators.learning.least_variance import least_variance, least_variance_step
from estimators.noise import NoiseSource
from estimators.registry import register_control_variate
from estimators.sampling.events import event_sum

__all__ = ["Double"]


@final
@register_control_variate("double")
@dataclass(frozen=True)
class Double(ControlVariate):
    r"""Adds a linear term with the mean slope at the other samples to each cost, $h_s = \alpha\, g_s^\top (x_s - \mu)$:

    $$\frac1S \sum_s \Big(f_s + h_s - \frac{1}{S-1} \sum_{r \ne s} (f_r + h_r)\Big) \nabla \log q(x_s)
      - \frac{\alpha}{S} \sum_s g_s^\top \nabla_\theta \mu,$$

    $\mu(\theta)$ the mean of x. Both uses of h have a known expectation, which in the baseline is zero. $\alpha$
    is that of least variance, on separate noise by `fit` or over earlier steps in training; −1 before. Unbiased for
    independent samples; S of at least 2, a q with a known mean and a cost differentiable in x, whose slopes count as S
    more evaluations. Titsias & Shi 2022.
    """

    coefficient: Tensor | None = learned()
    products: Tensor | None = learned()
    """From which the coefficient follows."""

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, samples_of_q=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return at_least(2, num_samples, self.name) or without_mean(problem, self.name)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return num_samples

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        scale = -1.0 if self.coefficient is None else of_costs(self.coefficient, samples.cost.shape[1])
        return others(samples.cost) * samples.score - scale * _correction(samples)

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Double":
        coefficients, products = least_variance(_terms, problem, params, num_samples, source)
        return replace(self, coefficient=coefficients[0], products=products)

    def update(self, samples: ScoredSamples) -> "Double":
        coefficients, products = least_variance_step(_terms, samples, self.products)
        return replace(self, coefficient=coefficients[:, 0], products=products)


def _terms(samples: ScoredSamples) -> tuple[Float[Tensor, "S R"], Float[Tensor, "S R"]]:
    return samples.direct + (samples.cost - others(samples.cost)) * samples.score, _correction(samples)


def _correction(samples: ScoredSamples) -> Float[Tensor, "S R"]:
    """The term added for α = 1."""
    slope, mean = others(cost_slopes(samples.problem.cost, samples.x, samples.params)), samples.q.mean
    h = event_sum(slope * (samples.x - mean.detach()), 2)
    return (h - others(h)) * samples.score - event_sum(slope * (mean - mean.detach()), 2)
