"""The pathwise estimator: reparameterization, the log trick and implicit differentiation."""

from dataclasses import dataclass
from typing import Literal, final

import torch
import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.interface import AlongPath, Claim, Params, PerSample, Problem, Traits
from estimators.interface.refusals import differentiable_samples, passes_derivatives
from estimators.noise import NoiseSource
from estimators.programs.joint import Joint
from estimators.registry import register_estimator
from estimators.sampling import families

__all__ = ["Pathwise"]


@final
@register_estimator("pathwise")
@dataclass(frozen=True)
class Pathwise(AlongPath, PerSample):
    r"""Differentiates the cost through the sample, $\frac1S \sum_s \nabla_\theta f(g(\epsilon_s, \theta), \theta)$.

    Forms of $x = g(\epsilon, \theta)$: `location-scale` ($\mu + \sigma\epsilon$), `inverse-cdf`
    ($F^{-1}(u; \theta)$; for the exponential $-\log(u)/\lambda$, the log trick) and `implicit`
    ($\nabla_\theta x = -\nabla_\theta F(x; \theta) / q(x; \theta)$); `auto` takes the first that q has.

    Unbiased where the cost is differentiable in x; blind to its jumps, and biased there. Needs a continuous q, or a
    discrete one with an `rsample` (straight-through), which makes it biased.
    Kingma & Welling 2014; Rezende, Mohamed & Wierstra 2014; Figurnov, Mohamed & Mnih 2018.
    """

    form: Literal["auto", "location-scale", "inverse-cdf", "implicit"] = "auto"

    @classmethod
    def variants(cls) -> list[str]:
        return ["pathwise", "pathwise:form=inverse-cdf", "pathwise:form=implicit"]

    @property
    def traits(self) -> Traits:
        return Traits("pathwise")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        try:
            transform = families.find_path(q, self.form)
        except ValueError as error:
            return str(error)
        if reason := passes_derivatives(problem):
            return reason
        return None if transform.straight_through else differentiable_samples(problem, self._form(q))

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        q = problem.initial_distribution
        straight_through = self.form == "auto" and families.find_path(q, self.form).straight_through
        return "unbiased" if problem.differentiable and not straight_through else "biased"

    def without_path(self, q: td.Distribution) -> str | None:
        try:
            able = families.find_path(q, self.form).differentiable
        except ValueError as error:
            return str(error)
        return (
            None if able else f"samples of {type(families.unwrap(q)).__name__} are not differentiable in its parameters"
        )

    def path_noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return families.find_path(q, self.form).noise(families.unwrap(q), num_samples, source)

    def path(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return families.find_path(q, self.form).sample(families.unwrap(q), noise)

    def points(self, q: td.Distribution) -> td.Distribution:
        inner = families.unwrap(q)
        if not families.find(q, self.form).gaussian_noise:
            raise ValueError(
                f"a proposal on the noise needs Gaussian noise, which {type(inner).__name__} does not have"
            )
        like = inner.some if isinstance(inner, Joint) else inner.mean
        zeros = like.new_zeros(inner.batch_shape + inner.event_shape)
        return td.Independent(td.Normal(zeros, torch.ones_like(zeros)), zeros.ndim - len(q.batch_shape))

    def terms(self, problem: Problem, params: Params, points: families.Drawn) -> Float[Tensor, "S R"]:
        return problem.cost(self.path(problem.distribution(params), points.x), params)

    def _form(self, q: td.Distribution) -> str:
        return families.path_form(q) if self.form == "auto" else self.form
