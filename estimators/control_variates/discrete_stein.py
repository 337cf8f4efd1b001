"""RODEO: control variates of expectation zero made by a Stein operator for binary variables."""

from dataclasses import dataclass, replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.expansions import others
from estimators.interface import ControlVariate, Params, Problem, ScoredSamples, Traits, cost_slopes, learned
from estimators.interface.refusals import at_least, binary, differentiable
from estimators.learning.coefficients import of_costs
from estimators.learning.least_variance import least_variance, least_variance_step
from estimators.noise import NoiseSource
from estimators.registry import register_control_variate
from estimators.sampling.events import beside, event_sum
from estimators.sampling.families import unwrap
from estimators.sampling.states import finite_logits

__all__ = ["DiscreteStein"]


@final
@register_control_variate("discrete-stein")
@dataclass(frozen=True)
class DiscreteStein(ControlVariate):
    r"""Adds what a Stein operator makes of the cost, of expectation zero, to the baseline and to the gradient:

    $$\frac1S \sum_s \Big(f_s - \frac{1}{S-1} \sum_{r \ne s} \big(f_r + \alpha (\mathcal A h_r)(x_r)\big)\Big)
      \nabla \log q(x_s) + \frac{\beta}{S} \sum_s (\mathcal A \tilde h_s)(x_s), \qquad
      \tilde h_s = h_s \nabla \log q.$$

    The Gibbs operator is $(\mathcal A h)(x) = \sum_i \mathbb{E}[h(x) \mid x_{-i}] - h(x)$, and $h_s$ expands the cost
    at the other samples, $h_s(y) = \frac{1}{S-1} \sum_{r \ne s} f_r + \nabla f_r^\top (y - x_r)$; the general form
    learns a network of these. $\alpha$ and $\beta$ are those of least variance, on separate noise by `fit` or over
    earlier steps in training; zero before. Unbiased for independent samples; S of at least 2, binary x and a cost
    differentiable in x, whose slopes count as S more evaluations. Shi, Zhou, Hwang, Titsias & Mackey 2022.
    """

    coefficients: Tensor | None = learned()
    """α and β, `[2]` or `[R, 2]`."""
    products: Tensor | None = learned()
    """From which they follow."""

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, samples_of_q=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        reason = binary(problem, self.name) or differentiable(problem, self.name)
        return reason or at_least(2, num_samples, self.name)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return num_samples

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        term = others(samples.cost) * samples.score
        if self.coefficients is None:
            return term
        baseline, gradient = _stein_terms(samples)
        alpha, beta = (of_costs(value, samples.cost.shape[1]) for value in self.coefficients.unbind(-1))
        return term - alpha * baseline - beta * gradient

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "DiscreteStein":
        coefficients, products = least_variance(_terms, problem, params, num_samples, source)
        return replace(self, coefficients=coefficients, products=products)

    def update(self, samples: ScoredSamples) -> "DiscreteStein":
        coefficients, products = least_variance_step(_terms, samples, self.products)
        return replace(self, coefficients=coefficients, products=products)


def _terms(samples: ScoredSamples) -> tuple[Float[Tensor, "S R"], ...]:
    return samples.direct + (samples.cost - others(samples.cost)) * samples.score, *_stein_terms(samples)


def _stein_terms(samples: ScoredSamples) -> tuple[Float[Tensor, "S R"], Float[Tensor, "S R"]]:
    """The terms added for α = 1, and for β = 1."""
    q: Any = unwrap(samples.q)
    x, p = samples.x, q.probs.detach()
    slope = cost_slopes(samples.problem.cost, samples.x, samples.params)
    intercept = others(samples.cost - event_sum(slope * x, 2))
    slope = others(slope)
    h = beside(intercept + event_sum(slope * x, 2), x)
    odds = torch.where(x > 0.5, 1 - p, p)  # the probability that a bit flips, given the others
    step = slope * (1 - 2 * x)  # the change of h when it flips
    change = odds * step
    total = event_sum(change, 2)
    score, flipped = x - p, 1 - x - p
    # The score of bit i changes with its own flip alone; h changes with every flip.
    vector = score * (beside(total, x) - change) + odds * ((h + step) * flipped - h * score)
    logits = finite_logits(q)
    return -others(total) * samples.score, event_sum(vector * (logits - logits.detach()), 2)
