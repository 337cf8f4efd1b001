"""The problems of the cases in plain torch, as a practitioner writes them: q, its parameters and the cost.

Each gives the parameters in the order in which gradmark has them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Gamma, Normal
from torch.nn.functional import linear, relu, softplus

from benchmarks.peers.networks import problem_of
from benchmarks.peers.work import Case

__all__ = ["Model", "model_of"]


@dataclass(frozen=True)
class Model:
    """E over q of a cost, or a bound of latent variables."""

    params: dict[str, Tensor]
    q: Callable[[dict[str, Tensor]], Distribution]
    cost: Callable[[Tensor, Any, dict[str, Tensor]], Tensor]
    """The costs `[S]` of samples `[S, *event]` of q; for latent variables −log w, `[K, N]`."""


def model_of(case: Case, device: str = "cpu") -> Model:
    problem: Any = problem_of(case).to(device, torch.float32)
    start = {name: value.to(device, torch.float32) for name, value in problem.initial_params().items()}
    params = {name: value.requires_grad_() for name, value in start.items()}
    name = case.problem.partition(":")[0]
    if name == "digits-vae":
        return _digits(params, problem.observation)
    if name.startswith("policy"):
        return _policy(params, problem.state[0], problem.losses)
    if name.startswith("autoencoder"):
        return _autoencoder(params, problem.observation)
    q = {"gaussian-quadratic": _normal, "bernoulli-toy": _bernoulli, "gamma-cost": _gamma}[name]
    cost = _distance if name == "bernoulli-toy" else _square
    return Model(params, q, cost)


def _normal(params: dict[str, Tensor]) -> Distribution:
    return Normal(params["loc"], params["log_scale"].exp(), validate_args=False)


def _bernoulli(params: dict[str, Tensor]) -> Distribution:
    return Bernoulli(logits=params["logits"], validate_args=False)


def _gamma(params: dict[str, Tensor]) -> Distribution:
    return Gamma(params["log_concentration"].exp(), params["log_rate"].exp(), validate_args=False)


def _square(x: Tensor, q: Distribution, params: dict[str, Tensor]) -> Tensor:
    return (x**2).sum(-1)


def _distance(x: Tensor, q: Distribution, params: dict[str, Tensor]) -> Tensor:
    return ((x - 0.499) ** 2).mean(-1)


def _digits(params: dict[str, Tensor], images: Tensor) -> Model:
    def posterior(params: dict[str, Tensor]) -> Distribution:
        hidden = linear(images, params["encoder_weight"], params["encoder_bias"]).tanh()
        mean, log_scale = linear(hidden, params["posterior_weight"], params["posterior_bias"]).chunk(2, -1)
        return Normal(mean, log_scale.exp(), validate_args=False)

    def negative_log_weight(z: Tensor, q: Distribution, params: dict[str, Tensor]) -> Tensor:
        hidden = linear(z, params["decoder_weight"], params["decoder_bias"]).tanh()
        logits = linear(hidden, params["pixel_weight"], params["pixel_bias"])
        return _negative_log_weight(z, q, logits, images)

    return Model(params, posterior, negative_log_weight)


def _negative_log_weight(z: Tensor, q: Distribution, logits: Tensor, images: Tensor) -> Tensor:
    log_likelihood = (images * logits - softplus(logits)).sum(-1)
    log_prior = -(z**2).sum(-1) / 2 - z.shape[-1] * math.log(2 * math.pi) / 2
    return q.log_prob(z).sum(-1) - log_prior - log_likelihood


def _policy(params: dict[str, Tensor], state: Tensor, losses: Tensor) -> Model:
    def q(params: dict[str, Tensor]) -> Distribution:
        return Categorical(logits=_layers(state, params, "policy."), validate_args=False)

    return Model(params, q, lambda x, q, params: losses[x])


def _autoencoder(params: dict[str, Tensor], images: Tensor) -> Model:
    def posterior(params: dict[str, Tensor]) -> Distribution:
        mean, log_scale = _layers(images, params, "encoder.").chunk(2, -1)
        return Normal(mean, log_scale.exp(), validate_args=False)

    def negative_log_weight(z: Tensor, q: Distribution, params: dict[str, Tensor]) -> Tensor:
        return _negative_log_weight(z, q, _layers(z, params, "decoder."), images)

    return Model(params, posterior, negative_log_weight)


def _layers(x: Tensor, params: dict[str, Tensor], prefix: str) -> Tensor:
    """Linear layers with ReLU between them: `prefix` + 0.weight, 0.bias, 2.weight, …"""
    names = [name.removesuffix("weight") for name in params if name.startswith(prefix) and name.endswith("weight")]
    for name in names:
        x = linear(x, params[f"{name}weight"], params[f"{name}bias"])
        x = x if name == names[-1] else relu(x)
    return x
