"""Storchastic: a stochastic computation graph whose samples are an axis, one backward pass a gradient."""

from collections.abc import Callable

import storch
import torch
from storch.method import Reparameterization, ScoreFunction
from torch import Tensor

from benchmarks.peers.models import model_of
from benchmarks.peers.torch_loop import loop
from benchmarks.peers.work import NETWORKS, PROGRAMS, Block, Case

__all__ = ["blocks"]

REPLICATES = 10


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    if case.estimator == "iwae" or case.name in NETWORKS | PROGRAMS:
        return {}
    return {"Storchastic": (loop(one_gradient(case), REPLICATES), REPLICATES)}


def one_gradient(case: Case) -> Callable[[], Tensor]:
    model = model_of(case)
    leaves = list(model.params.values())
    pathwise = case.estimator == "pathwise"

    def one() -> Tensor:
        storch.reset()
        if pathwise:
            method = Reparameterization("x", n_samples=case.num_samples)
        else:
            method = ScoreFunction("x", n_samples=case.num_samples, baseline_factory="batch_average")
        x = method(model.q(model.params))
        storch.add_cost(storch.deterministic(lambda x: model.cost(x, None, model.params))(x), "cost")
        storch.backward()
        found = torch.cat([leaf.grad.flatten() for leaf in leaves if leaf.grad is not None])
        for leaf in leaves:
            leaf.grad = None
        return found

    return one
