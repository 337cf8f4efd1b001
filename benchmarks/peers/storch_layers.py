"""Case K in Storchastic: a graph of stochastic nodes, whose scores are weighed by the costs that depend on them.

The first variable has an axis of S samples, and each later one has a sample for each of those. A baseline of the other
samples needs several samples of the variable itself, so that there is none.
"""

from collections.abc import Callable
from typing import Any

import storch
import torch
from storch.method import Reparameterization, ScoreFunction
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from benchmarks.peers.torch_layers import leaves_of
from benchmarks.peers.torch_loop import loop
from benchmarks.peers.work import PROGRAMS, Block, Case

__all__ = ["blocks"]

REPLICATES = 10


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    if case.name not in PROGRAMS:
        return {}
    return {"Storchastic": (loop(_one_gradient(case), REPLICATES), REPLICATES)}


def _one_gradient(case: Case) -> Callable[[], Tensor]:
    at = leaves_of(case)
    leaves = list(at.values())

    def costs() -> None:
        z = Reparameterization("z", n_samples=case.num_samples)(Normal(at["loc"], at["log_scale"].exp()))
        first = ScoreFunction("first")(Bernoulli(logits=_of(lambda z: at["slope"] * z.unsqueeze(-1) + at["logits"], z)))
        logits = _of(lambda first: first @ at["weight"] + at["bias"], first)
        second = ScoreFunction("second")(Bernoulli(logits=logits))
        mean = _of(lambda second: second @ at["out"], second)
        x = Reparameterization("x")(Normal(mean, at["out_log_scale"].exp()))
        storch.add_cost(_of(lambda z: (z - 1) ** 2 / 2, z), "of z")
        storch.add_cost(_of(lambda first: ((first - 0.4) ** 2).sum(-1), first), "of first")
        share = _of(lambda second: second.mean(-1), second)
        storch.add_cost(_of(lambda share, x, z: (1 + share) * (x - z) ** 2, share, x, z), "end")

    def one() -> Tensor:
        storch.reset()
        costs()
        storch.backward()
        found = torch.cat([leaf.grad.flatten() for leaf in leaves if leaf.grad is not None])
        for leaf in leaves:
            leaf.grad = None
        return found

    return one


def _of(function: Callable[..., Tensor], *nodes: Any) -> Any:
    return storch.deterministic(function)(*nodes)
