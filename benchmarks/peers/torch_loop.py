"""A plain loop in torch: one backward pass a gradient, as in a training step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.peers.models import Model, model_of
from benchmarks.peers.work import Block, Case, Moments

__all__ = ["blocks", "loop", "one_gradient"]


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    """The block of each implementation, and its number of gradients."""
    replicates = 50
    return {"plain loop": (loop(one_gradient(case), replicates), replicates)}


def loop(one: Callable[[], Tensor], replicates: int) -> Block:
    def block() -> Moments:
        gradients = torch.stack([one() for _ in range(replicates)])
        return Moments(replicates, gradients.mean(0).double().numpy(), gradients.var(0).double().numpy())

    return block


def one_gradient(case: Case) -> Callable[[], Tensor]:
    """A function of nothing that gives one gradient, all parameters in a row."""
    model, samples = model_of(case), case.num_samples
    loss = {"pathwise": pathwise, "iwae": iwae}.get(case.estimator, leave_one_out)
    leaves = list(model.params.values())

    def one() -> Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss(model, samples), leaves)])

    return one


def pathwise(model: Model, samples: int) -> Tensor:
    x = model.q(model.params).rsample((samples,))
    return model.cost(x, model.params).mean()


def leave_one_out(model: Model, samples: int) -> Tensor:
    q = model.q(model.params)
    x = q.sample((samples,))
    cost = model.cost(x, model.params)
    baseline = (cost.sum() - cost) / (samples - 1)
    return ((cost - baseline) * q.log_prob(x).sum(-1)).mean()


def iwae(model: Model, samples: int) -> Tensor:
    z = model.q(model.params).rsample((samples,))
    return -(torch.logsumexp(-model.cost(z, model.params), 0) - math.log(samples)).sum()
