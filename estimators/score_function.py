"""The score-function estimator (REINFORCE, likelihood ratio), with any control variate."""

from dataclasses import dataclass, field, replace
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.control_variates.none import Zero
from estimators.interface import (
    Claim,
    ControlVariate,
    Noise,
    Params,
    PerSample,
    Problem,
    ScoredSamples,
    Traits,
    computed_once,
)
from estimators.interface.refusals import score
from estimators.learning.fresh_samples import fresh_samples
from estimators.noise import NoiseSource
from estimators.registry import components, register_estimator
from estimators.sampling import families

__all__ = ["ScoreFunction"]


@final
@register_estimator("score-function")
@dataclass(frozen=True)
class ScoreFunction(PerSample):
    r"""Weighs the score by the cost, $\frac1S \sum_s f(x_s, \theta)\, \nabla_\theta \log q(x_s; \theta)$.

    Keeps the direct term $\frac1S \sum_s \nabla_\theta f(x_s, \theta)$ of a cost that depends on $\theta$. The control
    variate subtracts a term of known, zero expected gradient.

    On a program of several variables the score of each is weighed by the costs after it (`credit` is `to-go`), those
    before do not depend on it, nor do those of other data points; control variates that follow from costs alone are
    those of each variable. Others see the sum of all costs and scores, as with `credit=total`.

    Unbiased for any q with a density whose support does not move, any cost.
    Glynn 1990; Williams 1992; Mohamed et al. 2020, sec. 4.
    """

    control_variate: ControlVariate = field(default_factory=Zero)
    credit: Literal["to-go", "total"] = "to-go"

    @classmethod
    def variants(cls) -> list[str]:
        fitting = [cls for cls in components("control variate").values() if issubclass(cls, ControlVariate)]
        specs = [spec for variate in fitting for spec in variate.variants()]
        texts = [f"({spec})" if ":" in spec else spec for spec in specs]
        return ["score-function", *(f"score-function:control_variate={text}" for text in texts if text != "none")]

    @property
    def traits(self) -> Traits:
        return replace(self.control_variate.traits, mechanism="score function")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return score(problem) or self.control_variate.unsupported(problem, num_samples)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return self.control_variate.claim(problem, num_samples)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return num_samples + self.control_variate.evaluations(problem, num_samples)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return self._terms(self._samples(problem, params, noise)).mean(0)

    def points(self, q: Distribution) -> Distribution:
        return q

    def terms(self, problem: Problem, params: Params, points: families.Drawn) -> Float[Tensor, "S R"]:
        return self._terms(ScoredSamples.of(problem, params, points))

    def _terms(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        weighed = samples.problem.credited(samples) if self._by_variable else samples
        each = weighed.cost * weighed.score - self.control_variate.term(weighed)
        return samples.direct + (each if each.ndim == 2 else each.flatten(1, -2).sum(1))

    @property
    def _by_variable(self) -> bool:
        return self.credit == "to-go" and self.control_variate.traits.costs_alone

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "ScoreFunction":
        fitted = self._fitted(problem, params, num_samples, source.stream("fit"))
        return self if fitted is self.control_variate else replace(self, control_variate=fitted)

    def _fitted(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> ControlVariate:
        """The control variate, fitted to the costs that it will be given: of each variable, or of all together."""
        if not (self.control_variate.learns and self.control_variate.traits.costs_alone):
            return self.control_variate.fit(problem, params, num_samples, source)
        with computed_once():
            samples = fresh_samples(problem, params, source)
            return self.control_variate.taught(problem.credited(samples) if self._by_variable else samples)

    def update(self, problem: Problem, params: Params, noise: Noise) -> "ScoreFunction":
        if type(self.control_variate).update is ControlVariate.update:  # the costs would be evaluated for nothing
            return self
        moving = self.control_variate.traits.differentiates_samples
        point = {name: value.detach().requires_grad_(moving) for name, value in params.items()}
        with torch.set_grad_enabled(moving):
            samples = self._samples(problem, point, noise)
            weighed = problem.credited(samples) if self._by_variable else samples
        updated = self.control_variate.update(weighed)
        return self if updated is self.control_variate else replace(self, control_variate=updated)

    def _samples(self, problem: Problem, params: Params, noise: Noise) -> ScoredSamples:
        q = problem.distribution(params)
        path = families.sample(q, noise) if self.control_variate.traits.differentiates_samples else None
        return ScoredSamples.of(problem, params, families.drawn(q, noise), path)
