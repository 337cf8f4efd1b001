"""Case K in Pyro: TraceGraph_ELBO weighs the score of each layer by the costs that depend on it.

Its particles are one axis; it minimises E of log q − log p, which is the cost of a model that draws from q itself.
"""

from collections.abc import Callable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import TraceGraph_ELBO
from torch import Tensor

from benchmarks.peers.torch_layers import leaves_of
from benchmarks.peers.torch_loop import loop
from benchmarks.peers.work import PROGRAMS, Block, Case

__all__ = ["blocks"]

REPLICATES = 10


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    if case.name not in PROGRAMS:
        return {}
    pyro.enable_validation(False)
    return {"Pyro, TraceGraph_ELBO": (loop(_one_gradient(case), REPLICATES), REPLICATES)}


def _one_gradient(case: Case) -> Callable[[], Tensor]:
    pyro.clear_param_store()
    leaves = [pyro.param(name, value.detach()).unconstrained() for name, value in leaves_of(case).items()]
    names = list(leaves_of(case))

    def q() -> tuple[Any, Any, Any, Any]:
        at = {name: pyro.param(name) for name in names}
        z = pyro.sample("z", dist.Normal(at["loc"], at["log_scale"].exp()))
        logits = at["slope"] * z.unsqueeze(-1) + at["logits"]
        first = pyro.sample("first", dist.Bernoulli(logits=logits).to_event(1))
        second = pyro.sample("second", dist.Bernoulli(logits=first @ at["weight"] + at["bias"]).to_event(1))
        x = pyro.sample("x", dist.Normal(second @ at["out"], at["out_log_scale"].exp()))
        return z, first, second, x

    def p() -> None:
        z, first, second, x = q()
        pyro.factor("of z", -((z - 1) ** 2) / 2)
        pyro.factor("of first", -((first - 0.4) ** 2).sum(-1))
        pyro.factor("end", -(1 + second.mean(-1)) * (x - z) ** 2)

    elbo = TraceGraph_ELBO(num_particles=case.num_samples, vectorize_particles=True, max_plate_nesting=0)

    def one() -> Tensor:
        elbo.loss_and_grads(p, q)
        gradient = torch.cat([leaf.grad.flatten() for leaf in leaves])
        for leaf in leaves:
            leaf.grad = None
        return gradient

    return one
