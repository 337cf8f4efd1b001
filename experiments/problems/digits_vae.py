"""A variational autoencoder of handwritten digits."""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.nn.functional import softplus

from estimators.interface import Params
from estimators.registry import register_problem
from experiments.problems.digits import PIXELS, Digits, dense, random_dense
from experiments.problems.options import check_options

__all__ = ["DigitsVAE"]

MAX_INTEGRATED = 2
NODES = 81
"""Nodes of the trapezoidal rule in each dimension."""
REACH = 9.0
"""Standard deviations that the nodes reach to each side."""


@final
@register_problem("digits-vae")
@dataclass(frozen=True)
class DigitsVAE(Digits):
    r"""A variational autoencoder: the negative ELBO in nats of `points` binary 8×8 digits.

    $z \sim N(0, I)$, pixels $\sim \mathrm{Bernoulli}(\mathrm{decoder}(z))$, and $q(z|x)$ is Gaussian with independent
    coordinates. Encoder and decoder have one layer of `hidden` tanh units, with weights shared by all images; they are
    random, or the result of `steps` of training. The gradient is exact, by quadrature, for `latent` of up to 2.
    Kingma & Welling 2014.
    """

    hidden: int = 64
    latent: int = 8
    encoder: ClassVar[tuple[str, ...]] = ("encoder_weight", "encoder_bias", "posterior_weight", "posterior_bias")
    trained_by: ClassVar[tuple[str, int]] = ("pathwise", 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, hidden=1, latent=1)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:hidden=2,latent=1,points=2"]

    def untrained_params(self) -> Params:
        generator = torch.Generator().manual_seed(0)
        return (
            random_dense("encoder", PIXELS, self.hidden, generator)
            | random_dense("posterior", self.hidden, 2 * self.latent, generator)
            | random_dense("decoder", self.latent, self.hidden, generator)
            | random_dense("pixel", self.hidden, PIXELS, generator)
        )

    def posterior(self, params: Params) -> Distribution:
        mean, log_scale = self._moments(params)
        return Independent(Normal(mean, log_scale.exp()), 1)

    def log_joint(self, z: Tensor, params: Params) -> Float[Tensor, "S R N"]:
        return -(z**2).sum(-1) / 2 - self.latent * math.log(2 * math.pi) / 2 + self._log_likelihood(z, params)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"] | None:
        """The divergence from the prior by its formula, the likelihood by the trapezoidal rule."""
        if self.latent > MAX_INTEGRATED:
            return None
        mean, log_scale = self._moments(params)
        divergence = ((mean**2 + (2 * log_scale).exp() - 1) / 2 - log_scale).sum((1, 2))
        nodes, weights = _gaussian_nodes(self.latent, mean)
        z = mean + log_scale.exp() * nodes[:, None, None]
        likelihood = torch.einsum("k,krn->r", weights, self._log_likelihood(z, params))
        return self.data_weight * (divergence - likelihood)

    def _moments(self, params: Params) -> tuple[Float[Tensor, "R N D"], Float[Tensor, "R N D"]]:
        hidden = dense(self.observation, params, "encoder").tanh()
        mean, log_scale = dense(hidden, params, "posterior").chunk(2, -1)
        return mean, log_scale

    def _log_likelihood(self, z: Tensor, params: Params) -> Float[Tensor, "S R N"]:
        rows = z.transpose(0, 1).flatten(1, 2)
        logits = dense(dense(rows, params, "decoder").tanh(), params, "pixel").unflatten(1, (len(z), -1))
        signs = (1 - 2 * self.observation).unsqueeze(-3)
        return -softplus(signs * logits).sum(-1).transpose(0, 1)


def _gaussian_nodes(dim: int, like: Tensor) -> tuple[Float[Tensor, "K D"], Float[Tensor, " K"]]:
    line = torch.linspace(-REACH, REACH, NODES, dtype=like.dtype, device=like.device)
    nodes = torch.cartesian_prod(*[line] * dim).reshape(-1, dim)
    return nodes, (-(nodes**2).sum(-1) / 2).softmax(0)
