"""A small network in place of the cost, for control variates that learn it."""

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.events import as_vectors

__all__ = ["Network", "check_hidden", "initial_network", "network_value"]

Network = dict[str, Tensor]


def check_hidden(hidden: int) -> None:
    """ValueError: it is not a number of hidden units."""
    if hidden < 1:
        raise ValueError(f"hidden must be at least 1, not {hidden}")


def initial_network(x: Float[Tensor, "N D"], cost: Float[Tensor, " N"], hidden: int, source: NoiseSource) -> Network:
    """One hidden layer of tanh units and a linear path, on x standardised by these points; it gives their mean cost."""
    dimensions, tiny = x.shape[1], torch.finfo(x.dtype).tiny
    spread = cost.std().clamp(min=tiny)
    free = {
        "inner": source.normal((dimensions, hidden)) / dimensions**0.5,
        "bias": source.normal((hidden,)),
        "outer": torch.zeros(hidden).to(x),
        "linear": torch.zeros(dimensions).to(x),
        "level": (cost.mean() / spread).reshape(1),
    }
    fixed = {"centre": x.mean(0), "width": x.std(0).clamp(min=torch.finfo(x.dtype).eps), "spread": spread}
    return {name: value.detach() for name, value in fixed.items()} | {
        name: value.detach().requires_grad_() for name, value in free.items()
    }


def network_value(network: Network, x: Float[Tensor, "S R *E"]) -> Float[Tensor, "S R"]:
    z = (as_vectors(x, 2) - network["centre"]) / network["width"]
    hidden = torch.tanh(z @ network["inner"] + network["bias"])
    return (hidden @ network["outer"] + z @ network["linear"] + network["level"]) * network["spread"]
