"""The score-function estimator (REINFORCE, likelihood ratio), with any control variate."""

from dataclasses import dataclass, field, replace
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.none import Zero
from estimators.interface import Claim, ControlVariate, Estimator, Noise, Params, Problem, ScoredSamples
from estimators.noise import NoiseSource
from estimators.registry import components, register_estimator
from estimators.sampling import families
from estimators.sampling.family import moves_its_support

__all__ = ["ScoreFunction"]


@final
@register_estimator("score-function")
@dataclass(frozen=True)
class ScoreFunction(Estimator):
    r"""Weighs the score by the cost, $\frac1S \sum_s f(x_s, \theta)\, \nabla_\theta \log q(x_s; \theta)$.

    Keeps the direct term $\frac1S \sum_s \nabla_\theta f(x_s, \theta)$ of a cost that depends on $\theta$. The control
    variate subtracts a term of known, zero expected gradient.

    Unbiased for any q with a density, any cost. Glynn 1990; Williams 1992; Mohamed et al. 2020, sec. 4.
    """

    control_variate: ControlVariate = field(default_factory=Zero)

    @classmethod
    def variants(cls) -> list[str]:
        specs = [spec for variate in components("control variate").values() for spec in variate.variants()]
        texts = [f"({spec})" if ":" in spec else spec for spec in specs]
        return ["score-function", *(f"score-function:control_variate={text}" for text in texts if text != "none")]

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        if moves_its_support(q):
            kind = type(families.unwrap(q)).__name__
            return f"the support of {kind} moves with its parameters, so that the score does not have mean zero"
        return self.control_variate.unsupported(problem, num_samples)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return self.control_variate.claim(problem, num_samples)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return num_samples + self.control_variate.evaluations(problem, num_samples)

    def needs_independent_samples(self) -> bool:
        return self.control_variate.uses_other_samples

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return self.terms(problem, params, self._samples(problem, params, noise)).mean(0)

    def terms(self, problem: Problem, params: Params, x: Tensor) -> Float[Tensor, "S R"]:
        """The surrogate of each sample `[S, R, *E]`, whose expectation under q has the gradient of E[f]."""
        samples = ScoredSamples.of(problem, params, x)
        return samples.direct + samples.cost * samples.score - self.control_variate.term(samples)

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "ScoreFunction":
        fitted = self.control_variate.fit(problem, params, num_samples, source.stream("fit"))
        return self if fitted is self.control_variate else replace(self, control_variate=fitted)

    def update(self, problem: Problem, params: Params, noise: Noise) -> "ScoreFunction":
        samples = ScoredSamples.of(problem, params, self._samples(problem, params, noise))
        updated = self.control_variate.update(samples)
        return self if updated is self.control_variate else replace(self, control_variate=updated)

    def _samples(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        read = families.sample if self.control_variate.differentiates_samples else families.values
        return read(problem.distribution(params), noise)
