"""Case K, two layers of bits between two Gaussians, in plain torch: the surrogate as a practitioner writes it.

The Gaussians have derivatives along their paths; the score of each layer is weighed by the costs after it.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from benchmarks.peers.networks import problem_of
from benchmarks.peers.torch_loop import loop
from benchmarks.peers.work import PROGRAMS, Block, Case

__all__ = ["blocks", "layers_gradient", "leaves_of"]

REPLICATES = 50
Leaves = dict[str, Tensor]


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    if case.name not in PROGRAMS:
        return {}
    return {"plain loop": (loop(layers_gradient(case), REPLICATES), REPLICATES)}


def leaves_of(case: Case, device: str = "cpu") -> Leaves:
    start = problem_of(case).initial_params()
    return {name: value.to(device, torch.float32).requires_grad_() for name, value in start.items()}


def layers_gradient(case: Case, device: str = "cpu") -> Callable[[], Tensor]:
    """A function of nothing that gives one gradient, all parameters in a row."""
    params = leaves_of(case, device)

    def one() -> Tensor:
        found = torch.autograd.grad(_loss(params, case.num_samples), list(params.values()))
        return torch.cat([gradient.flatten() for gradient in found])

    return one


def _loss(params: Leaves, samples: int) -> Tensor:
    noise = torch.randn(2, samples, device=params["loc"].device)
    z = params["loc"] + params["log_scale"].exp() * noise[0]
    first_q = Bernoulli(logits=params["slope"] * z.unsqueeze(-1) + params["logits"], validate_args=False)
    first = first_q.sample()
    second_q = Bernoulli(logits=first @ params["weight"] + params["bias"], validate_args=False)
    second = second_q.sample()
    x = second @ params["out"] + params["out_log_scale"].exp() * noise[1]
    of_first = ((first - 0.4) ** 2).sum(-1)
    end = (1 + second.mean(-1)) * (x - z) ** 2
    scores = (of_first + end).detach() * first_q.log_prob(first).sum(-1)
    scores = scores + end.detach() * second_q.log_prob(second).sum(-1)
    return ((z - 1) ** 2 / 2 + of_first + end + scores).mean()
