"""A baseline that is a network of the observation."""

from dataclasses import dataclass, replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._pytree import tree_map

from estimators.interface import ControlVariate, Observed, Params, Problem, ScoredSamples, learned
from estimators.learning.moving_averages import moved
from estimators.learning.network import Network, check_hidden
from estimators.noise import IID, NoiseSource
from estimators.registry import register_control_variate
from estimators.sampling import families

__all__ = ["NeuralBaseline"]

FIT_STEPS, FIT_SAMPLES = 100, 64
MEAN_DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8


@final
@register_control_variate("neural-baseline")
@dataclass(frozen=True)
class NeuralBaseline(ControlVariate):
    r"""A network's guess of the cost of each data point from its observation, $\sum_n b_\psi(x_n)$ as baseline.

    $b_\psi$ has one hidden layer of `hidden` tanh units; each replicate has its own. Adam takes steps of size `rate` on
    $(f - \sum_n b_\psi(x_n))^2$: many in `fit`, on noise of its own, and one in `update`, after each use in training.
    Before that the baseline is zero. Under `per-data-point` each cost has its own data point's baseline. Unbiased.
    NVIL, Mnih & Gregor 2014; without its normalisation of the variance.
    """

    hidden: int = 32
    rate: float = 0.01
    state: dict[str, Any] | None = learned()
    """The networks `[R, …]` and Adam's moments: tensors in dictionaries."""

    def __post_init__(self) -> None:
        check_hidden(self.hidden)
        if not 0 < self.rate < float("inf"):
            raise ValueError(f"rate must be positive and finite, not {self.rate}")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        known = isinstance(problem, Observed)
        return None if known else "neural-baseline needs a problem with observations: a latent-variable problem"

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        if self.state is None:
            return torch.zeros_like(samples.cost)
        baseline = _guess(self.state["network"], self.state["spread"], samples)
        return _problem(samples).data_weight * baseline * samples.score

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "NeuralBaseline":
        fitted, q = self, problem.distribution(params)
        for _ in range(FIT_STEPS):
            drawn = families.drawn(q, families.noise(q, FIT_SAMPLES, source))
            fitted = fitted.update(ScoredSamples.of(problem, params, drawn))
        return fitted

    def update(self, samples: ScoredSamples) -> "NeuralBaseline":
        target, replicates = samples.cost / _problem(samples).data_weight, _replicates(samples)
        start = _start(target, samples, self.hidden) if self.state is None else self.state
        state = tree_map(lambda value: value.expand(replicates, *value.shape[1:]), start)

        def error(network: Network) -> Tensor:
            missed = (target - _guess(network, state["spread"], samples)).unflatten(1, (replicates, -1))
            return ((missed / state["spread"]) ** 2).mean((0, 2)).sum()

        slopes = torch.func.grad(error)(state["network"])
        steps = state["steps"] + 1
        mean = moved(state["mean"], slopes, MEAN_DECAY)
        square = moved(state["square"], tree_map(torch.square, slopes), SQUARE_DECAY)

        def stepped(value: Tensor, mean: Tensor, square: Tensor) -> Tensor:
            shape = (replicates, *[1] * (value.ndim - 1))
            corrected = (1 - MEAN_DECAY**steps).reshape(shape), (1 - SQUARE_DECAY**steps).reshape(shape)
            return value - self.rate * (mean / corrected[0]) / ((square / corrected[1]).sqrt() + EPSILON)

        network = tree_map(stepped, state["network"], mean, square)
        learned_state = {"network": network, "mean": mean, "square": square, "steps": steps, "spread": state["spread"]}
        return replace(self, state=tree_map(torch.Tensor.detach, learned_state))


def _start(target: Float[Tensor, "S C"], samples: ScoredSamples, hidden: int) -> dict[str, Any]:
    """A network that gives the mean of these costs for every observation."""
    x, replicates = _problem(samples).observation, _replicates(samples)
    each = target.unflatten(1, (replicates, -1)).transpose(0, 1).flatten(1)
    spread = each.std(1, correction=0).clamp(min=1.0).unsqueeze(1)
    source = IID(0, x.device, target.dtype)
    terms = x.shape[-2] * replicates // target.shape[1]  # data points in a cost
    network = {
        "inner": source.normal((1, x.shape[-1], hidden)) / x.shape[-1] ** 0.5,
        "bias": source.normal((1, 1, hidden)),
        "outer": target.new_zeros(1, hidden, 1),
        "level": each.mean(1, keepdim=True) / terms / spread,
    }
    zeros = tree_map(torch.zeros_like, network)
    return {"network": network, "mean": zeros, "square": zeros, "steps": target.new_zeros(1), "spread": spread}


def _guess(network: Network, spread: Float[Tensor, "R 1"], samples: ScoredSamples) -> Float[Tensor, " C"]:
    """The guess of each cost in nats: of all its data points together, or of its only one."""
    hidden = (_problem(samples).observation @ network["inner"] + network["bias"]).tanh()
    each = spread * ((hidden @ network["outer"]).squeeze(-1) + network["level"])
    return _problem(samples).of_costs(each.expand(_replicates(samples), -1))


def _problem(samples: ScoredSamples) -> Observed:
    assert isinstance(samples.problem, Observed)
    return samples.problem


def _replicates(samples: ScoredSamples) -> int:
    return len(next(iter(samples.params.values())))
