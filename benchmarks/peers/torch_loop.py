"""A plain loop in torch: one backward pass a gradient, as in a training step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.peers.models import Model, model_of
from benchmarks.peers.networks import Autoencoder, Policy, problem_of
from benchmarks.peers.torch_networks import autoencoder_gradient, policy_gradient
from benchmarks.peers.work import LEAVE_ONE_OUT, PROGRAMS, Block, Case, Moments

__all__ = ["blocks", "loop", "one_gradient", "running"]


REPLICATES = 50


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    """The block of each implementation, and its number of gradients."""
    if case.name in PROGRAMS:
        return {}
    return {"plain loop": (loop(one_gradient(case), REPLICATES), REPLICATES)}


def loop(one: Callable[[], Tensor], replicates: int) -> Block:
    def block() -> Moments:
        gradients = torch.stack([one() for _ in range(replicates)])
        return _moments(replicates, gradients.mean(0), gradients.var(0))

    return block


def running(one: Callable[[], Tensor], replicates: int) -> Block:
    """A loop that keeps a running mean and variance (Welford 1962), and no gradient."""

    def block() -> Moments:
        mean = one()
        squares = torch.zeros_like(mean)
        for count in range(2, replicates + 1):
            gradient = one()
            shift = gradient - mean
            mean += shift / count
            squares += shift * (gradient - mean)
        return _moments(replicates, mean, squares / (replicates - 1))

    return block


def _moments(replicates: int, mean: Tensor, variance: Tensor) -> Moments:
    return Moments(replicates, mean.double().cpu().numpy(), variance.double().cpu().numpy())


def one_gradient(case: Case, device: str = "cpu") -> Callable[[], Tensor]:
    """A function of nothing that gives one gradient, all parameters in a row."""
    problem, samples = problem_of(case), case.num_samples
    if isinstance(problem, Policy):
        return policy_gradient(problem, samples, device)
    if isinstance(problem, Autoencoder) and case.estimator == "pathwise":
        return autoencoder_gradient(problem, device)
    model = model_of(case, device)
    loss = LOSSES[case.estimator]
    leaves = list(model.params.values())

    def one() -> Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss(model, samples), leaves)])

    return one


def pathwise(model: Model, samples: int) -> Tensor:
    q = model.q(model.params)
    x = q.rsample((samples,))
    return model.cost(x, q, model.params).sum() / samples


def leave_one_out(model: Model, samples: int) -> Tensor:
    q = model.q(model.params)
    x = q.sample((samples,))
    cost = model.cost(x, q, model.params)
    baseline = (cost.sum() - cost) / (samples - 1)
    return ((cost - baseline) * q.log_prob(x).sum(-1)).mean()


def iwae(model: Model, samples: int) -> Tensor:
    q = model.q(model.params)
    z = q.rsample((samples,))
    return -(torch.logsumexp(-model.cost(z, q, model.params), 0) - math.log(samples)).sum()


LOSSES = {"pathwise": pathwise, "iwae": iwae, LEAVE_ONE_OUT: leave_one_out}
