"""A baseline that is a network of the state before each variable of a program."""

from dataclasses import dataclass, replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad
from torch.utils._pytree import tree_map

from estimators.interface import ControlVariate, Problem, ScoredSamples, Traits, learned
from estimators.learning.adam import adam_step
from estimators.learning.coefficients import Coefficients
from estimators.learning.network import check_hidden
from estimators.learning.state_network import Costs, States, initial_state_network, state_value
from estimators.programs import Program
from estimators.programs.states import states
from estimators.registry import register_control_variate

__all__ = ["Critic"]

BATCH = 100
"""Samples of a step of `fit`, which takes each of its own once."""


@final
@register_control_variate("critic")
@dataclass(frozen=True)
class Critic(ControlVariate):
    r"""A network's guess of the costs after each variable of a program from the state before it, $b_\psi(s_k)$.

    The program says what the state is, `sample(name, q, state=s)`: tensors and numbers, which are known before the
    variable is drawn. Variables without a state have a constant each. One hidden layer of `hidden` tanh units beside a
    linear path is shared by all variables, each of which has biases of its own; each replicate has its own network.
    Adam takes steps of size `rate` on the squared error: many in `fit`, on noise of its own, and one in `update`, after
    each use in training. Before that the baseline is zero. Unbiased.
    Sutton, McAllester, Singh & Mansour 2000; Greensmith, Bartlett & Baxter 2004; Mnih & Gregor 2014.
    """

    hidden: int = 32
    rate: float = 0.01
    network: dict[str, Any] | None = learned()
    """The weights `[R, …]`, what states and costs are divided by, and Adam's moments: tensors in dictionaries."""

    def __post_init__(self) -> None:
        check_hidden(self.hidden)
        if not 0 < self.rate < float("inf"):
            raise ValueError(f"rate must be positive and finite, not {self.rate}")

    @property
    def traits(self) -> Traits:
        return Traits(own_parameters=True, costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if not isinstance(problem, Program) or (problem.layout.alone and problem.mapped_data is None):
            return "critic needs a program of several random variables, or of several contexts"
        if not any(variable.state_size for variable in problem.layout.variables):
            return "critic needs to know the state before a variable: write sample(name, q, state=…)"
        return None

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        if self.network is None:
            return torch.zeros_like(samples.cost)
        guess = state_value(self.network["weights"], self.network["scales"], _states(samples))
        num_samples = len(samples.cost)
        return guess.unflatten(0, (num_samples, -1)).movedim(1, 2).reshape(samples.cost.shape) * samples.score

    def taught(self, samples: ScoredSamples) -> "Critic":
        found = self
        for some, of in zip(_states(samples).split(BATCH), _costs(samples).split(BATCH), strict=True):
            found = found._step(some, of)
        return found

    def update(self, samples: ScoredSamples) -> "Critic":
        return self._step(_states(samples), _costs(samples))

    def _step(self, states: States, costs: Costs) -> "Critic":
        start = initial_state_network(states, costs, self.hidden) if self.network is None else self.network
        known = tree_map(lambda value: value.expand(costs.shape[-1], *value.shape[1:]), start)
        scales = known["scales"]

        def error(weights: Coefficients) -> Tensor:
            missed = (costs - state_value(weights, scales, states)) / scales["spread"]
            return (missed**2).mean((0, 1)).sum()

        weights, moments = adam_step(known["weights"], torch.func.grad(error)(known["weights"]), known, self.rate)
        return replace(self, network={"weights": weights, "scales": scales} | moments)


def _costs(samples: ScoredSamples) -> Costs:
    """The costs after each of V variables; the runs of N contexts count as so many samples."""
    if not samples.variables:
        return samples.cost.unsqueeze(1)
    each = samples.cost.unflatten(1, (len(samples.variables), -1))  # [S, V, N, R]
    return each.movedim(2, 1).flatten(0, 1)


def _states(samples: ScoredSamples) -> States:
    """The state before each variable; shorter ones are filled up with zeros."""
    costs = _costs(samples)
    if not samples.variables:  # the costs of all variables together, which none of the states comes before
        return costs.new_zeros(*costs.shape, 0)
    assert isinstance(samples.problem, Program)
    found = states(samples.problem, samples.params, samples.x)
    of = [found[index] for index in samples.variables]
    longest = max(state.shape[-1] for state in of)
    each = torch.stack([pad(state, (0, longest - state.shape[-1])) for state in of], 1)
    each = each.unsqueeze(3) if each.ndim == 4 else each  # [S, V, R, N, F], with one context where there are none
    return each.permute(0, 3, 1, 2, 4).flatten(0, 1).to(costs)
