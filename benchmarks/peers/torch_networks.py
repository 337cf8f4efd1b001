"""One gradient of a network as a training step in torch has it: a module, a distribution, `backward`."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.peers.networks import Autoencoder, Policy

__all__ = ["autoencoder_gradient", "policy_gradient"]


def policy_gradient(problem: Policy, samples: int, device: str) -> Callable[[], Tensor]:
    network = _module(problem.network.module, device)
    state, losses = (value.to(device, torch.float32) for value in (problem.state[0], problem.losses))

    def loss() -> Tensor:
        q = Categorical(logits=network(state))
        actions = q.sample((samples,))  # type: ignore[arg-type]
        return (losses[actions] * q.log_prob(actions)).mean()

    return _gradient(loss, [network])


def autoencoder_gradient(problem: Autoencoder, device: str) -> Callable[[], Tensor]:
    """With one sample for each image."""
    encoder, decoder = _module(problem.encode.module, device), _module(problem.decode.module, device)
    images = problem.observation.to(device, torch.float32)

    def loss() -> Tensor:
        mean, log_scale = encoder(images).chunk(2, -1)
        q = Normal(mean, log_scale.exp())
        z = q.rsample()
        prior = Normal(torch.zeros_like(z), torch.ones_like(z))
        negative_log_likelihood = binary_cross_entropy_with_logits(decoder(z), images, reduction="sum")
        return negative_log_likelihood + (q.log_prob(z) - prior.log_prob(z)).sum()

    return _gradient(loss, [encoder, decoder])


def _module(module: nn.Module, device: str) -> nn.Module:
    return copy.deepcopy(module).to(device, torch.float32)


def _gradient(loss: Callable[[], Tensor], modules: list[nn.Module]) -> Callable[[], Tensor]:
    leaves = [value for module in modules for value in module.parameters()]

    def one() -> Tensor:
        for leaf in leaves:
            leaf.grad = None
        loss().backward()
        return torch.cat([leaf.grad.flatten() for leaf in leaves if leaf.grad is not None])

    return one
