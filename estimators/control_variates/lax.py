"""LAX: a learned surrogate of the cost as a control variate for continuous x."""

from dataclasses import dataclass, replace
from functools import partial
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import ControlVariate, Params, Problem, ScoredSamples, Traits, learned
from estimators.interface.refusals import differentiable_samples
from estimators.learning.adam import Moments
from estimators.learning.coefficients import Coefficients
from estimators.learning.fresh_samples import FIRST_SAMPLES, by_replicate, fresh_samples, own_noise
from estimators.learning.network import check_hidden, initial_network, network_value
from estimators.learning.variance_gradient import minimise_variance, variance_step
from estimators.noise import NoiseSource
from estimators.registry import register_control_variate
from estimators.sampling import families
from estimators.sampling.family import is_circular

__all__ = ["Lax"]


@final
@register_control_variate("lax")
@dataclass(frozen=True)
class Lax(ControlVariate):
    r"""A neural network in place of the cost, $c_\phi(x)$, differentiated pathwise:

    $$\hat g = (f(x) - c_\phi(x))\, \nabla_\theta \log q(x; \theta) + \nabla_\theta c_\phi(x(\epsilon, \theta)).$$

    Unbiased for any fixed $\phi$; the cost may have jumps or be a black box, the samples must be differentiable in
    the parameters. `fit` minimises the variance of single samples by its gradient in $\phi$, on noise of its own;
    in training Adam takes a step after each use. The network has one hidden layer of `hidden` tanh units and a linear
    path. Grathwohl et al. 2018.
    """

    hidden: int = 32
    network: Coefficients | None = learned()
    moments: Moments | None = learned()
    """Adam's, in training."""

    def __post_init__(self) -> None:
        check_hidden(self.hidden)

    @property
    def traits(self) -> Traits:
        return Traits(differentiates_samples=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        if is_circular(q):
            return "lax needs x on a line: on a circle its network would jump, to which pathwise derivatives are blind"
        return differentiable_samples(problem)

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        if self.network is None:
            return torch.zeros_like(samples.cost)
        fixed, moving = (network_value(self.network, x) for x in (samples.x, samples.path))
        return fixed * samples.score - (moving - moving.detach())

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Lax":
        def surrogate(point: Params, network: Coefficients) -> Tensor:
            q = problem.distribution(point)
            with torch.no_grad():
                noise = families.noise(q, 1, source)
            samples = ScoredSamples.of(problem, point, families.drawn(q, noise), families.sample(q, noise))
            return self._learning(samples, network)

        start = self._initial(fresh_samples(problem, params, source), source.stream("network"))
        return replace(self, network=minimise_variance(surrogate, params, start))

    def update(self, samples: ScoredSamples) -> "Lax":
        start, source = self.network, own_noise(self.name, samples.params)
        if start is None:
            start = self._initial(fresh_samples(samples.problem, samples.params, source, FIRST_SAMPLES), source)
        learning = partial(self._learning, samples)
        with torch.enable_grad():
            network, moments = variance_step(learning, samples.params, start, self.moments)
        return replace(self, network=network, moments=moments)

    def _initial(self, samples: ScoredSamples, source: NoiseSource) -> Coefficients:
        rows = len(next(iter(samples.params.values())))
        return initial_network(*by_replicate(samples.x, samples.cost, rows), self.hidden, source)

    def _learning(self, samples: ScoredSamples, network: Coefficients) -> Float[Tensor, " R"]:
        control = replace(self, network=network).term(samples)
        return (samples.direct + samples.cost * samples.score - control).mean(0)
