"""A sigmoid belief network of handwritten digits."""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, constraints

from estimators.interface import Params
from estimators.registry import register_problem
from experiments.problems.bernoulli import binary_states
from experiments.problems.digits import PIXELS, Digits, bernoulli_log_prob, dense, random_dense
from experiments.problems.options import check_options

__all__ = ["DigitsSBN", "TwoLayers"]

MAX_ENUMERATED = 10
"""The most latent bits of an image for which all states are summed over."""


class TwoLayers(Distribution):
    """Bits h₁ with their logits, and h₂ whose logits are a layer on h₁; batch `[R, N]`, event h₁ and h₂."""

    arg_constraints = {"logits": constraints.independent(constraints.real, 1)}  # noqa: RUF012 # pyright: ignore
    support = constraints.independent(constraints.boolean, 1)  # pyright: ignore

    def __init__(self, logits: Tensor, params: Params, layer: str, validate_args: bool | None = None):
        self.logits, self.params, self.layer = logits, params, layer
        bits = logits.shape[-1] + params[f"{layer}_bias"].shape[-1]
        super().__init__(logits.shape[:-1], torch.Size([bits]), validate_args=validate_args)

    def sample(self, sample_shape=()) -> Tensor:
        with torch.no_grad():
            first = Bernoulli(logits=self.logits, validate_args=False).sample(sample_shape)
            flat = first.reshape(-1, *self.logits.shape)
            second = Bernoulli(logits=self._second(flat), validate_args=False).sample()
            return torch.cat([first, second.reshape(*first.shape[:-1], -1)], -1)

    def log_prob(self, value: Tensor) -> Tensor:
        first, second = value.split([self.logits.shape[-1], value.shape[-1] - self.logits.shape[-1]], -1)
        return bernoulli_log_prob(first, self.logits) + bernoulli_log_prob(second, self._second(first))

    def _second(self, first: Tensor) -> Tensor:
        return of_samples(first, self.params, self.layer)


def of_samples(x: Float[Tensor, "S R N I"], params: Params, layer: str) -> Float[Tensor, "S R N O"]:
    rows = x.transpose(0, 1).flatten(1, 2)
    return dense(rows, params, layer).unflatten(1, (len(x), -1)).transpose(0, 1)


@final
@register_problem("digits-sbn")
@dataclass(frozen=True)
class DigitsSBN(Digits):
    r"""A sigmoid belief network: the negative ELBO in nats of `points` binary 8×8 digits.

    The latent variables are `layers` layers of `latent` bits h, with pixels $\sim
    \mathrm{Bernoulli}(\mathrm{layer}(h))$. Prior, model and encoder are learned, each layer linear, with weights shared
    by all images; they are random, or the result of `steps` of training. The second layer of q depends on samples of
    the first, so that only estimators that know nothing of q but its density apply. The gradient is exact, by
    enumeration, for up to 10 bits an image.
    Mnih & Gregor 2014.
    """

    latent: int = 20
    layers: int = 1
    encoder: ClassVar[tuple[str, ...]] = ("encoder_weight", "encoder_bias", "encoder2_weight", "encoder2_bias")
    trained_by: ClassVar[tuple[str, int]] = ("per-data-point", 4)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, latent=1)
        if self.layers not in (1, 2):
            raise ValueError(f"layers must be 1 or 2, not {self.layers}")

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:latent=2,points=2", f"{cls.name}:latent=1,layers=2,points=2"]

    def untrained_params(self) -> Params:
        generator = torch.Generator().manual_seed(0)
        params = {"prior_logits": torch.zeros(self.latent, dtype=torch.float64)}
        params |= random_dense("encoder", PIXELS, self.latent, generator)
        params |= random_dense("decoder", self.latent, PIXELS, generator)
        if self.layers == 2:
            params |= random_dense("encoder2", self.latent, self.latent, generator)
            params |= random_dense("decoder2", self.latent, self.latent, generator)
        return params

    def posterior(self, params: Params) -> Distribution:
        logits = dense(self.observation, params, "encoder")
        return Independent(Bernoulli(logits=logits), 1) if self.layers == 1 else TwoLayers(logits, params, "encoder2")

    def log_joint(self, z: Tensor, params: Params) -> Float[Tensor, "S R N"]:
        return self._log_joint(z, params)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"] | None:
        """The sum over all states of each image."""
        if self.layers * self.latent > MAX_ENUMERATED:
            return None
        states = binary_states(self.layers * self.latent, params["prior_logits"])[:, None, None]
        z = states.expand(-1, len(params["prior_logits"]), self.observation.shape[-2], -1)
        log_q = self.log_q(z, params)
        return self.data_weight * (log_q.exp() * (log_q - self._log_joint(z, params))).sum((0, 2))

    def _log_joint(self, z: Tensor, params: Params) -> Float[Tensor, "S R N"]:
        *bottom, top = z.split(self.latent, -1)
        total = bernoulli_log_prob(top, params["prior_logits"].unsqueeze(1))
        for first in bottom:
            total = total + bernoulli_log_prob(first, of_samples(top, params, "decoder2"))
        return total + bernoulli_log_prob(self.observation, of_samples(z[..., : self.latent], params, "decoder"))
