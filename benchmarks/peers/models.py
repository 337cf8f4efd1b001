"""The problems of the cases in plain torch, as a practitioner writes them: q, its parameters and the cost.

Each gives the parameters in the order in which gradmark has them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Gamma, Normal
from torch.nn.functional import linear, softplus

from benchmarks.peers.work import Case
from estimators.registry import make_problem

__all__ = ["Model", "model_of"]


@dataclass(frozen=True)
class Model:
    """E over q of a cost, or a bound of latent variables."""

    params: dict[str, Tensor]
    q: Callable[[dict[str, Tensor]], Distribution]
    cost: Callable[[Tensor, dict[str, Tensor]], Tensor]
    """The costs `[S]` of samples `[S, *event]`; for latent variables −log w, `[K, N]`."""


def model_of(case: Case) -> Model:
    problem = make_problem(case.problem)
    params = {name: value.float().requires_grad_() for name, value in problem.initial_params().items()}
    name = case.problem.partition(":")[0]
    if name == "digits-vae":
        return _digits(params, problem.observation.float())  # type: ignore[attr-defined]
    q = {"gaussian-quadratic": _normal, "bernoulli-toy": _bernoulli, "gamma-cost": _gamma}[name]
    cost = _distance if name == "bernoulli-toy" else _square
    return Model(params, q, cost)


def _normal(params: dict[str, Tensor]) -> Distribution:
    return Normal(params["loc"], params["log_scale"].exp(), validate_args=False)


def _bernoulli(params: dict[str, Tensor]) -> Distribution:
    return Bernoulli(logits=params["logits"], validate_args=False)


def _gamma(params: dict[str, Tensor]) -> Distribution:
    return Gamma(params["log_concentration"].exp(), params["log_rate"].exp(), validate_args=False)


def _square(x: Tensor, params: dict[str, Tensor]) -> Tensor:
    return (x**2).sum(-1)


def _distance(x: Tensor, params: dict[str, Tensor]) -> Tensor:
    return ((x - 0.499) ** 2).mean(-1)


def _digits(params: dict[str, Tensor], images: Tensor) -> Model:
    def posterior(params: dict[str, Tensor]) -> Distribution:
        hidden = linear(images, params["encoder_weight"], params["encoder_bias"]).tanh()
        mean, log_scale = linear(hidden, params["posterior_weight"], params["posterior_bias"]).chunk(2, -1)
        return Normal(mean, log_scale.exp(), validate_args=False)

    def negative_log_weight(z: Tensor, params: dict[str, Tensor]) -> Tensor:
        hidden = linear(z, params["decoder_weight"], params["decoder_bias"]).tanh()
        logits = linear(hidden, params["pixel_weight"], params["pixel_bias"])
        log_likelihood = (images * logits - softplus(logits)).sum(-1)
        log_prior = -(z**2).sum(-1) / 2 - z.shape[-1] * math.log(2 * math.pi) / 2
        return posterior(params).log_prob(z).sum(-1) - log_prior - log_likelihood

    return Model(params, posterior, negative_log_weight)
