"""A baseline that is a network of the observation."""

from dataclasses import dataclass, replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._pytree import tree_map

from estimators.interface import ControlVariate, Observed, Params, Problem, ScoredSamples, learned
from estimators.learning.adam import adam_step, no_moments
from estimators.learning.coefficients import Coefficients
from estimators.learning.network import check_hidden
from estimators.noise import IID, NoiseSource
from estimators.registry import register_control_variate
from estimators.sampling import families

__all__ = ["NeuralBaseline"]

FIT_STEPS, FIT_SAMPLES = 100, 64


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

        def error(network: Coefficients) -> Tensor:
            missed = (target - _guess(network, state["spread"], samples)).unflatten(1, (replicates, -1))
            return ((missed / state["spread"]) ** 2).mean((0, 2)).sum()

        network, moments = adam_step(state["network"], torch.func.grad(error)(state["network"]), state, self.rate)
        return replace(self, state={"network": network, "spread": state["spread"].detach()} | moments)


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
    return {"network": network, "spread": spread} | no_moments(network)


def _guess(network: Coefficients, spread: Float[Tensor, "R 1"], samples: ScoredSamples) -> Float[Tensor, " C"]:
    """The guess of each cost in nats: of all its data points together, or of its only one."""
    hidden = (_problem(samples).observation @ network["inner"] + network["bias"]).tanh()
    each = spread * ((hidden @ network["outer"]).squeeze(-1) + network["level"])
    return _problem(samples).of_costs(each.expand(_replicates(samples), -1))


def _problem(samples: ScoredSamples) -> Observed:
    assert isinstance(samples.problem, Observed)
    return samples.problem


def _replicates(samples: ScoredSamples) -> int:
    return len(next(iter(samples.params.values())))
