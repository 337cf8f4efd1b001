"""A small network in place of the cost, for control variates that learn it."""

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Unsupported
from estimators.learning.coefficients import Coefficients, for_each_cost
from estimators.noise import NoiseSource
from estimators.sampling.events import as_vectors

__all__ = ["check_hidden", "initial_network", "network_value"]


def check_hidden(hidden: int) -> None:
    """ValueError: it is not a number of hidden units."""
    if hidden < 1:
        raise ValueError(f"hidden must be at least 1, not {hidden}")


def initial_network(
    x: Float[Tensor, "N R D"], cost: Float[Tensor, "N R"], hidden: int, source: NoiseSource
) -> Coefficients:
    """One hidden layer of tanh units and a linear path for each replicate; at first the mean cost of these points.

    x is standardised by these points.
    """
    dimensions, tiny = x.shape[2], torch.finfo(x.dtype).tiny
    spread = cost.std(0).clamp(min=tiny)
    inner, bias = source.normal((dimensions, hidden)) / dimensions**0.5, source.normal((hidden,))
    rows = x.shape[1]
    network = {
        "inner": inner.expand(rows, *inner.shape),
        "bias": bias.expand(rows, hidden),
        "outer": x.new_zeros(rows, hidden),
        "linear": x.new_zeros(rows, dimensions),
        "level": cost.mean(0) / spread,
        "centre": x.mean(0),
        "width": x.std(0).clamp(min=torch.finfo(x.dtype).eps),
        "spread": spread,
    }
    return {name: value.detach() for name, value in network.items()}


def network_value(network: Coefficients, x: Float[Tensor, "S C *E"]) -> Float[Tensor, "S C"]:
    """The network of its replicate at each x; of each cost's replicate, where several costs share one.

    `Unsupported`: x has more or fewer entries than those that it was learned from, as on a batch of another size.
    """
    x, known = as_vectors(x, 2), network["centre"].shape[-1]
    if x.shape[2] != known:
        raise Unsupported(f"it has learned from samples of {known:,} numbers, and a sample has {x.shape[2]:,} here")
    if len(network["inner"]) > 1:
        return _of_each(for_each_cost(network, x.shape[1]), x)
    shared = {name: value[0] for name, value in network.items()}
    z = (x - shared["centre"]) / shared["width"]
    hidden = torch.tanh(z @ shared["inner"] + shared["bias"])
    return (hidden @ shared["outer"] + z @ shared["linear"] + shared["level"]) * shared["spread"]


def _of_each(network: Coefficients, x: Float[Tensor, "S C D"]) -> Float[Tensor, "S C"]:
    z = (x - network["centre"]) / network["width"]
    hidden = torch.tanh(torch.einsum("scd,cdh->sch", z, network["inner"]) + network["bias"])
    linear = torch.einsum("sch,ch->sc", hidden, network["outer"]) + torch.einsum("scd,cd->sc", z, network["linear"])
    return (linear + network["level"]) * network["spread"]
