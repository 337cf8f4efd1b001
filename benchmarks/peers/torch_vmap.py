"""A loop over `torch.func.vmap(grad)`, per-sample gradients as torch documents them, in chunks of the best size.

The parameters are the same for all gradients, so that the actions of a policy are drawn from one q.
"""

import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.func import grad, vmap

from benchmarks.peers.models import Model, model_of
from benchmarks.peers.work import NETWORKS, Block, Case, Moments

__all__ = ["blocks", "fastest", "sizes"]

ENTRIES = 2**26
"""The most gradient entries of a chunk: 256 MB."""
LARGEST = 2**10
REPLICATES = 64
"""The fewest gradients of a block."""


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    if case.name not in NETWORKS:
        return {}
    model = model_of(case)
    made = [block(model, case, size) for size in sizes(sum(value.numel() for value in model.params.values()))]
    return {"torch.func.vmap": fastest(made)}


def sizes(entries: int) -> list[int]:
    """The powers of two that are tried, for gradients of so many entries."""
    return [size for size in (2**power for power in range(LARGEST.bit_length())) if size * entries <= ENTRIES]


def fastest(made: Iterable[tuple[Block, int]]) -> tuple[Block, int]:
    """The block that takes least for a gradient, in the best of a few calls."""

    def seconds(one: tuple[Block, int]) -> float:
        found = []
        for _ in range(3):
            began = time.perf_counter()
            one[0]()
            found.append(time.perf_counter() - began)
        return min(found) / one[1]

    return min(made, key=seconds)


def block(model: Model, case: Case, size: int) -> tuple[Block, int]:
    """At least `REPLICATES` gradients in chunks of a size, merged as they come."""
    params = {name: value.detach() for name, value in model.params.items()}
    loss, noise = SURROGATES[case.estimator](model)
    gradients = vmap(grad(loss), (None, 0))
    chunks = max(REPLICATES // size, 1)

    def chunk() -> Tensor:
        found = gradients(params, noise(size, case.num_samples))
        return torch.cat([found[name].flatten(1) for name in params], 1)

    def draw() -> Moments:
        mean, squares = torch.zeros(2, sum(value.numel() for value in params.values()))
        for index in range(chunks):
            rows = chunk()
            own = rows.mean(0)
            shift = own - mean
            mean += shift / (index + 1)
            squares += rows.var(0, correction=0).mul_(size) + shift**2 * (size * index / (index + 1))
        total = chunks * size
        return Moments(total, mean.double().numpy(), (squares / (total - 1)).double().numpy())

    return draw, chunks * size


Loss = Callable[[dict[str, Tensor], Tensor], Tensor]
Draw = Callable[[int, int], Tensor]


def pathwise(model: Model) -> tuple[Loss, Draw]:
    def loss(params: dict[str, Tensor], noise: Tensor) -> Tensor:
        q = model.q(params)
        return model.cost(q.mean + q.stddev * noise, q, params).sum() / len(noise)

    event = model.q(model.params).mean.shape
    return loss, lambda size, samples: torch.randn(size, samples, *event)


def score_function(model: Model) -> tuple[Loss, Draw]:
    def loss(params: dict[str, Tensor], actions: Tensor) -> Tensor:
        q = model.q(params)
        return (model.cost(actions, q, params) * q.log_prob(actions)).mean()

    @torch.no_grad()
    def actions(size: int, samples: int) -> Tensor:
        return model.q(model.params).sample((size, samples))  # type: ignore[arg-type]

    return loss, actions


SURROGATES = {"pathwise": pathwise, "score-function": score_function}
