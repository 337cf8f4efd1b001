"""LAX: a learned surrogate of the cost as a control variate for continuous x."""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import ControlVariate, Params, Problem, ScoredSamples, Traits, learned
from estimators.learning.fresh_samples import fresh_samples
from estimators.learning.network import Network, check_hidden, initial_network, network_value
from estimators.learning.variance_gradient import minimise_variance
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
    the parameters. `fit` minimises the variance of single samples by its gradient in $\phi$, on noise of its own.
    The network has one hidden layer of `hidden` tanh units and a linear path. Grathwohl et al. 2018.
    """

    hidden: int = 32
    network: Network | None = learned()

    def __post_init__(self) -> None:
        check_hidden(self.hidden)

    @property
    def traits(self) -> Traits:
        return Traits(differentiates_samples=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        if is_circular(q):
            return "lax needs x on a line: on a circle its network would jump, to which pathwise derivatives are blind"
        if not families.find(q).differentiable:
            return f"lax needs differentiable samples, which those of {type(families.unwrap(q)).__name__} are not"
        return None

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        if self.network is None:
            return torch.zeros_like(samples.cost)
        fixed, moving = (network_value(self.network, x) for x in (samples.x, samples.path))
        return fixed * samples.score - (moving - moving.detach())

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Lax":
        start = fresh_samples(problem, params, source)
        x = start.x.reshape(start.cost.numel(), -1)
        network = initial_network(x, start.cost.flatten(), self.hidden, source.stream("network"))

        def surrogate(point: Params, network: Network) -> Tensor:
            q = problem.distribution(point)
            with torch.no_grad():
                noise = families.noise(q, 1, source)
            samples = ScoredSamples.of(problem, point, families.drawn(q, noise), families.sample(q, noise))
            control = replace(self, network=network).term(samples)
            return (samples.direct + samples.cost * samples.score - control).squeeze(0)

        return replace(self, network=minimise_variance(surrogate, params, network))
