"""A network of the states before the variables of a program, one for each replicate."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.learning.adam import no_moments
from estimators.learning.coefficients import Coefficients
from estimators.noise import IID

__all__ = ["Costs", "States", "initial_state_network", "state_value"]

States = Float[Tensor, "S V R F"]
Costs = Float[Tensor, "S V R"]


def initial_state_network(states: States, costs: Costs, hidden: int) -> dict[str, Any]:
    """A network that gives the mean of these costs for every state, and what is standard for states and costs."""
    features, source = states.shape[-1], IID(0, states.device, states.dtype)
    by_replicate = states.flatten(0, 1).movedim(0, 1)  # [R, S·V, F]
    centre, level = by_replicate.mean(1), costs.mean(0).T  # [R, F] and [R, V]
    scales = {
        "spread": _or_one(costs.std((0, 1), correction=0)),
        "centre": centre,
        "width": _or_one(((by_replicate - centre.unsqueeze(1)) ** 2).mean(1).sqrt()),
    }
    weights = {
        "inner": source.normal((1, features, hidden)) / max(features, 1) ** 0.5,
        "bias": source.normal((1, 1, hidden)).expand(1, level.shape[1], hidden),
        "outer": states.new_zeros(1, hidden),
        "linear": states.new_zeros(1, features),
        "level": level / scales["spread"].unsqueeze(-1),
    }
    weights = {name: value.expand(len(level), *value.shape[1:]) for name, value in weights.items()}
    return {"weights": weights, "scales": scales} | no_moments(weights)


def _or_one(width: Tensor) -> Tensor:
    return torch.where(width > 0, width, 1.0)


def state_value(weights: Coefficients, scales: dict[str, Tensor], states: States) -> Costs:
    """The network of its replicate, or the only one, at each state."""
    z = (states - scales["centre"]) / scales["width"]
    hidden = torch.einsum("svrf,rfh->svrh", z, weights["inner"]) + weights["bias"].transpose(0, 1)
    linear = torch.einsum("svrf,rf->svr", z, weights["linear"]) + weights["level"].T
    return (torch.einsum("svrh,rh->svr", hidden.tanh(), weights["outer"]) + linear) * scales["spread"]
