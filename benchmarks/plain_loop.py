"""What gradmark is compared with: one backward pass per replicate, in torch as a practitioner writes it.

The problem is `gaussian-quadratic` at its defaults: x ~ N(loc, exp(log_scale)²), cost Σ x².
"""

import torch
from torch import Tensor
from torch.distributions import Normal

__all__ = ["leave_one_out", "pathwise"]


def initial_params(dim: int) -> tuple[Tensor, Tensor]:
    return torch.ones(dim, requires_grad=True), torch.zeros(dim, requires_grad=True)


def moments(gradients: list[Tensor]) -> tuple[Tensor, Tensor]:
    stacked = torch.stack(gradients)
    return stacked.mean(0), stacked.var(0)


def pathwise(replicates: int, dim: int = 10, num_samples: int = 10) -> tuple[Tensor, Tensor]:
    """Mean and variance `[2 dim]` of reparameterized gradients in loc and log_scale."""
    loc, log_scale = initial_params(dim)
    gradients = []
    for _ in range(replicates):
        q = Normal(loc, log_scale.exp(), validate_args=False)
        x = q.rsample((num_samples,))
        loss = (x**2).sum(-1).mean()
        gradients.append(torch.cat(torch.autograd.grad(loss, (loc, log_scale))))
    return moments(gradients)


def leave_one_out(replicates: int, dim: int = 10, num_samples: int = 10) -> tuple[Tensor, Tensor]:
    """Mean and variance `[2 dim]` of score-function gradients, each sample's baseline the mean cost of the others."""
    loc, log_scale = initial_params(dim)
    gradients = []
    for _ in range(replicates):
        q = Normal(loc, log_scale.exp(), validate_args=False)
        x = q.sample((num_samples,))
        cost = (x**2).sum(-1)
        baseline = (cost.sum() - cost) / (num_samples - 1)
        loss = ((cost - baseline) * q.log_prob(x).sum(-1)).mean()
        gradients.append(torch.cat(torch.autograd.grad(loss, (loc, log_scale))))
    return moments(gradients)
