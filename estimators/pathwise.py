"""The pathwise estimator: reparameterization, the log trick and implicit differentiation."""

from dataclasses import dataclass, replace
from typing import Literal, final

import torch
import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.interface import AlongPath, Claim, Noise, Params, PathControl, PathSamples, PerSample, Problem, Traits
from estimators.interface.refusals import differentiable_samples, passes_derivatives
from estimators.interface.smooth import smooth_along_path
from estimators.noise import NoiseSource
from estimators.programs.joint import Joint
from estimators.registry import components, register_estimator
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
    discrete one with an `rsample` (straight-through), which makes it biased. The control variate subtracts a term of
    known, zero expected gradient. Second derivatives are unbiased without one, where the slopes of the cost do not jump
    either (as those of a ReLU do), in all forms but `implicit`.
    Kingma & Welling 2014; Rezende, Mohamed & Wierstra 2014; Figurnov, Mohamed & Mnih 2018.
    """

    form: Literal["auto", "location-scale", "inverse-cdf", "implicit"] = "auto"
    control_variate: PathControl | None = None

    @classmethod
    def variants(cls) -> list[str]:
        fitting = [each for each in components("control variate").values() if issubclass(each, PathControl)]
        specs = [spec for control in fitting for spec in control.variants()]
        texts = [f"({spec})" if ":" in spec else spec for spec in specs]
        forms = ["pathwise", "pathwise:form=inverse-cdf", "pathwise:form=implicit"]
        return [*forms, *(f"pathwise:control_variate={text}" for text in texts)]

    @property
    def traits(self) -> Traits:
        own = Traits() if self.control_variate is None else self.control_variate.traits
        return replace(own, mechanism="pathwise")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        try:
            transform = families.find_path(q, self.form)
        except ValueError as error:
            return str(error)
        if reason := passes_derivatives(problem):
            return reason
        reason = None if transform.straight_through else differentiable_samples(problem, self._form(q))
        if reason or self.control_variate is None:
            return reason
        return self.control_variate.unsupported(problem, num_samples)

    def unsupported_twice(self, problem: Problem) -> str | None:
        q = problem.initial_distribution
        if self.control_variate is not None:
            return f"{self.control_variate.name} is a control variate of the first derivatives"
        if not families.find_path(q, self.form).explicit:
            kind = type(families.unwrap(q)).__name__
            return f"the form {self._form(q)} of {kind} has right first derivatives alone"
        return smooth_along_path(problem, self._form(q))

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        q = problem.initial_distribution
        straight_through = self.form == "auto" and families.find_path(q, self.form).straight_through
        if straight_through or not problem.differentiable:
            return "biased"
        return "unbiased" if self.control_variate is None else self.control_variate.claim(problem, num_samples)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        more = 0 if self.control_variate is None else self.control_variate.evaluations(problem, num_samples)
        return num_samples + more

    def without_path(self, q: td.Distribution) -> str | None:
        if self.control_variate is not None:
            return f"{self.control_variate.name} is a control variate for the whole of x, not for one variable"
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

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return self._terms(problem, params, noise).mean(0)

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
        return self._terms(problem, params, points.x)

    def _terms(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, "S R"]:
        q = problem.distribution(params)
        x = self.path(q, noise)
        cost = problem.cost(x, params)
        if self.control_variate is None:
            return cost
        return cost - self.control_variate.term(PathSamples(problem, params, q, x))

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Pathwise":
        if self.control_variate is None:
            return self
        fitted = self.control_variate.fit(problem, params, num_samples, source.stream("fit"))
        return self if fitted is self.control_variate else replace(self, control_variate=fitted)

    def update(self, problem: Problem, params: Params, noise: Noise) -> "Pathwise":
        if self.control_variate is None or not self.control_variate.learns:
            return self
        with torch.no_grad():
            q = problem.distribution(params)
            samples = PathSamples(problem, params, q, self.path(q, noise))
        return replace(self, control_variate=self.control_variate.update(samples))

    def _form(self, q: td.Distribution) -> str:
        return families.path_form(q) if self.form == "auto" else self.form
