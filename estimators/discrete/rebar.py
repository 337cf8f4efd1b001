"""REBAR and RELAX: a relaxed sample, and the same given the discrete one, as a control variate."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.discrete.relaxations import check_temperature, refusal_to_relax, relaxation
from estimators.interface import Estimator, Noise, Params, Problem, ScoredSamples, Traits, learned
from estimators.interface.refusals import score
from estimators.learning.adam import Moments
from estimators.learning.coefficients import Coefficients, for_each_cost, for_each_replicate
from estimators.learning.fresh_samples import FIRST_SAMPLES, by_replicate, fresh_samples, own_noise
from estimators.learning.network import check_hidden, initial_network, network_value
from estimators.learning.variance_gradient import minimise_variance, variance_step
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling.families import unwrap

__all__ = ["Rebar", "Relax", "RelaxedControl"]

FAR = 100.0
"""Further out than this no z is drawn, but that of a state that is masked or as good as that."""


@dataclass(frozen=True)
class RelaxedControl(Estimator, ABC):
    r"""A control c of the relaxed sample z, and of $\tilde z \sim p(z \mid x)$, drawn again given x:

    $$\hat g = (f(x) - c(\tilde z))\, \nabla \log q(x) + \nabla c(z) - \nabla c(\tilde z).$$

    Unbiased for any control c, since z and $\tilde z$ have the same distribution; both paths carry their gradient.
    The coefficients of c are learned by the gradient of the variance: by `fit` on noise of its own, or in training by a
    step of Adam after each use, as in the papers; before that they have the values given. Three evaluations of the cost
    a sample, which must be differentiable in x.
    """

    temperature: float = 0.5
    coefficients: Coefficients | None = learned()
    moments: Moments | None = learned()
    """Adam's, in training."""

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="at relaxed samples")

    @abstractmethod
    def initial(self, problem: Problem, params: Params, source: NoiseSource, num_samples: int) -> Coefficients:
        """The coefficients to start from, with what is standardised by a number of samples; 0: as many as for `fit`."""

    @abstractmethod
    def control(self, problem: Problem, params: Params, z: Tensor, coefficients: Coefficients) -> Float[Tensor, "S R"]:
        """c(z)."""

    def given(self, params: Params) -> Coefficients:
        """Scale one and the temperature of the spec, in the dtype of the parameters."""
        some = next(iter(params.values()))
        return {"scale": some.new_tensor([1.0]), "log_temperature": some.new_tensor([math.log(self.temperature)])}

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return refusal_to_relax(problem) or score(problem)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return 3 * num_samples

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q = problem.distribution(params)
        shape = (num_samples, *q.batch_shape, *q.event_shape)
        return {"u": source.uniform(shape), "v": source.stream("conditional").uniform(shape)}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        coefficients = self.given(params) if self.coefficients is None else self.coefficients
        z, given, samples = self._relaxed(problem, params, noise)
        free, conditional = (self.control(problem, params, at, coefficients) for at in (z, given))
        return _combine(samples, conditional.detach(), free - conditional)

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "RelaxedControl":
        def surrogate(point: Params, coefficients: Coefficients) -> Tensor:
            with torch.no_grad():
                noise = self.draw(problem, point, 1, source)
            return self._learning(problem, point, noise, coefficients)

        start = self.initial(problem, params, source.stream("initial"), 0)
        return replace(self, coefficients=minimise_variance(surrogate, params, start))

    def update(self, problem: Problem, params: Params, noise: Noise) -> "RelaxedControl":
        def surrogate(coefficients: Coefficients) -> Tensor:
            return self._learning(problem, point, noise, coefficients)

        start = self.coefficients
        if start is None:
            start = self.initial(problem, params, own_noise(self.name, params), FIRST_SAMPLES)
        with torch.enable_grad():
            point = {name: value.detach().requires_grad_() for name, value in params.items()}
            coefficients, moments = variance_step(surrogate, point, start, self.moments)
        return replace(self, coefficients=coefficients, moments=moments)

    def _learning(
        self, problem: Problem, params: Params, noise: Noise, coefficients: Coefficients
    ) -> Float[Tensor, " R"]:
        """The surrogate, to be differentiated in the coefficients in all three places; in the parameters in two."""
        z, given, samples = self._relaxed(problem, params, noise)
        at = [self.control(problem, params, place, coefficients) for place in (given.detach(), z, given)]
        return _combine(samples, at[0], at[1] - at[2])

    @staticmethod
    def _relaxed(problem: Problem, params: Params, noise: Noise) -> tuple[Tensor, Tensor, ScoredSamples]:
        q = problem.distribution(params)
        relax, inner = relaxation(q), unwrap(q)
        z = relax.perturbed(inner, noise["u"])
        x = relax.hard(z)
        return z, relax.conditional(inner, x, noise["v"]), ScoredSamples.of(problem, params, x)


def _combine(samples: ScoredSamples, fixed: Tensor, path: Tensor) -> Float[Tensor, " R"]:
    return (samples.direct + (samples.cost - fixed) * samples.score + path - path.detach()).mean(0)


def _relaxed_cost(problem: Problem, params: Params, z: Tensor, coefficients: Coefficients) -> Float[Tensor, "S R"]:
    constant = {name: value.detach() for name, value in params.items()}
    rows = for_each_cost({name: coefficients[name] for name in ("scale", "log_temperature")}, z.shape[1])
    temperature = rows["log_temperature"].exp().reshape(-1, *[1] * (z.ndim - 2))
    soft = relaxation(problem.distribution(constant)).soft(z, temperature)
    return rows["scale"] * problem.cost(soft, constant)


@final
@register_estimator("rebar")
@dataclass(frozen=True)
class Rebar(RelaxedControl):
    r"""The score function with a relaxed cost as control variate.

    `RelaxedControl` with $c(z) = \eta\, f(\mathrm{softmax}(z / \tau))$, whose $\eta$ and $\tau$ are learned.

    Tucker et al. 2017.
    """

    def initial(self, problem: Problem, params: Params, source: NoiseSource, num_samples: int) -> Coefficients:
        return self.given(params)

    def control(self, problem: Problem, params: Params, z: Tensor, coefficients: Coefficients) -> Float[Tensor, "S R"]:
        return _relaxed_cost(problem, params, z, coefficients)


@final
@register_estimator("relax")
@dataclass(frozen=True)
class Relax(RelaxedControl):
    r"""REBAR with a neural network added to the relaxed cost.

    `RelaxedControl` with $c(z) = \eta\, f(\mathrm{softmax}(z / \tau)) + r_\phi(z)$.

    Grathwohl et al. 2018.
    """

    hidden: int = 32

    def __post_init__(self) -> None:
        RelaxedControl.__post_init__(self)
        check_hidden(self.hidden)

    def initial(self, problem: Problem, params: Params, source: NoiseSource, num_samples: int) -> Coefficients:
        samples = fresh_samples(problem, params, source, num_samples)
        q, rows = problem.distribution(params), len(next(iter(params.values())))
        z = relaxation(q).perturbed(unwrap(q), source.uniform(samples.x.shape)).detach()
        network = initial_network(*by_replicate(_in_reach(z), samples.cost, rows), self.hidden, source)
        network["level"] = torch.zeros_like(network["level"])
        return network | for_each_replicate(self.given(params), rows)

    def control(self, problem: Problem, params: Params, z: Tensor, coefficients: Coefficients) -> Float[Tensor, "S R"]:
        relaxed = _relaxed_cost(problem, params, z, coefficients)
        return relaxed + network_value(coefficients, _in_reach(z)) if "inner" in coefficients else relaxed


def _in_reach(z: Tensor) -> Tensor:
    """z with the entries of masked states moved to where a network has values of the usual size."""
    return z.clamp(-FAR, FAR)
