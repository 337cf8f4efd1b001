"""LAX: a learned surrogate of the cost as a control variate for continuous x."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators import families
from estimators.interface import ControlVariate, Params, Problem, ScoredSamples, derivative, learned, replicated
from estimators.learned_baselines import fresh_samples
from estimators.noise import NoiseSource
from estimators.registry import register_control_variate

__all__ = ["Lax"]

STEPS, BATCH, RATE = 300, 256, 0.02


@final
@register_control_variate("lax")
@dataclass(frozen=True)
class Lax(ControlVariate):
    r"""A neural network $c_\phi(x)$ in place of the cost, differentiated pathwise:

    $$\hat g = (f(x) - c_\phi(x))\, \nabla_\theta \log q(x; \theta) + \nabla_\theta c_\phi(x(\epsilon, \theta)).$$

    Unbiased for any fixed $\phi$; the cost may have jumps or be a black box, the samples must be differentiable in
    the parameters. `fit` minimises the variance of the estimate by its gradient in $\phi$, on noise of its own: the
    mean of $\lVert \hat g \rVert^2$ over single samples, by Adam. The network has one hidden layer of `hidden` tanh
    units and a linear path, on standardised x. Grathwohl et al. 2018.
    """

    hidden: int = 32
    network: dict[str, Tensor] | None = learned()
    differentiates_samples: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {self.hidden}")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        if not families.find(q).differentiable:
            return (
                f"lax needs samples that are differentiable, which those of {type(families.unwrap(q)).__name__} are not"
            )
        return None

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        if self.network is None:
            return torch.zeros_like(samples.cost)
        fixed, moving = (_surrogate(self.network, x) for x in (samples.x, samples.path))
        return fixed * samples.score - (moving - moving.detach())

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Lax":
        network = self._initial(fresh_samples(problem, params, source), source.stream("network"))
        optimiser = torch.optim.Adam([value for value in network.values() if value.requires_grad], lr=RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
        for samples in _batches(problem, params, source):
            optimiser.zero_grad()
            _mean_square(replace(self, network=network), samples).backward()
            optimiser.step()
            schedule.step()
        return replace(self, network={name: value.detach() for name, value in network.items()})

    def _initial(self, samples: ScoredSamples, source: NoiseSource) -> dict[str, Tensor]:
        x = samples.x.flatten(2).reshape(len(samples.x), -1)
        dimensions = x.shape[1]
        spread = samples.cost.std()
        free = {
            "inner": source.normal((dimensions, self.hidden)) / dimensions**0.5,
            "bias": source.normal((self.hidden,)),
            "outer": torch.zeros(self.hidden).to(x),
            "linear": torch.zeros(dimensions).to(x),
            "level": (samples.cost.mean() / spread.clamp(min=torch.finfo(x.dtype).tiny)).reshape(1),
        }
        fixed = {"centre": x.mean(0), "width": x.std(0).clamp(min=torch.finfo(x.dtype).eps), "spread": spread}
        return fixed | {name: value.requires_grad_() for name, value in free.items()}


def _surrogate(network: dict[str, Tensor], x: Tensor) -> Float[Tensor, "S R"]:
    z = (x.flatten(2) if x.ndim > 2 else x.unsqueeze(-1)) - network["centre"]
    z = z / network["width"]
    hidden = torch.tanh(z @ network["inner"] + network["bias"])
    return (hidden @ network["outer"] + z @ network["linear"] + network["level"]) * network["spread"]


def _batches(problem: Problem, params: Params, source: NoiseSource) -> Iterator[ScoredSamples]:
    rows = {name: value[0].detach() for name, value in params.items()}
    for _ in range(STEPS):
        point = {name: value.requires_grad_() for name, value in replicated(rows, BATCH).items()}
        q = problem.distribution(point)
        with torch.no_grad():
            noise = families.noise(q, 1, source)
        yield ScoredSamples.of(problem, point, families.sample(q, noise))


def _mean_square(control: Lax, samples: ScoredSamples) -> Float[Tensor, ""]:
    surrogate = samples.direct + samples.cost * samples.score - control.term(samples)
    gradients = derivative(surrogate.sum(), samples.params, differentiable=True)
    return torch.stack([(value**2).sum() for value in gradients.values()]).sum() / BATCH
