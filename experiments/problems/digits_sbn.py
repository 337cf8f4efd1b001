"""Sigmoid belief networks of handwritten digits."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent
from torch.nn.functional import linear

from estimators import LatentProgram, Params, register_problem
from experiments.problems.bernoulli import binary_states
from experiments.problems.digits import PIXELS, Digits, bernoulli_log_prob, dense, random_dense
from experiments.problems.options import check_options

__all__ = ["DeepSBN", "DigitsSBN"]

MAX_ENUMERATED = 10
"""The most latent bits of an image for which all states are summed over."""


@register_problem("digits-sbn")
@dataclass(frozen=True)
class DigitsSBN(Digits):
    r"""A sigmoid belief network: the negative ELBO in nats of `points` binary 8×8 digits.

    The latent variables are `layers` layers of `latent` bits h, with pixels $\sim
    \mathrm{Bernoulli}(\mathrm{layer}(h))$. Prior, model and encoder are learned, each layer linear, with weights shared
    by all images; they are random, or the result of `steps` of training. Each layer of q depends on samples of the one
    before: of several, it is a program. The gradient is exact, by enumeration, for up to 10 bits an image.
    Mnih & Gregor 2014.
    """

    latent: int = 20
    layers: int = 1
    encoder: ClassVar[tuple[str, ...]] = ("encoder_weight", "encoder_bias")
    trained_by: ClassVar[tuple[str, int]] = ("per-data-point", 4)

    def __new__(cls, *args: Any, **options: Any) -> "DigitsSBN":
        kind: Any = DeepSBN if options.get("layers", 1) > 1 else cls
        return super().__new__(kind)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, latent=1, layers=1)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:latent=2,points=2", f"{cls.name}:latent=1,layers=2,points=2"]

    def untrained_params(self) -> Params:
        generator = torch.Generator().manual_seed(0)
        params, below = {"prior_logits": torch.zeros(self.latent, dtype=torch.float64)}, PIXELS
        for layer in _names(self.layers):
            params |= random_dense(f"encoder{layer}", below, self.latent, generator)
            params |= random_dense(f"decoder{layer}", self.latent, below, generator)
            below = self.latent
        return params

    def posterior(self, params: Params) -> Distribution:
        return Independent(Bernoulli(logits=dense(self.observation, params, "encoder")), 1)

    def log_joint(self, z: Tensor, params: Params) -> Float[Tensor, "S R N"]:
        rows = z.transpose(0, 1).flatten(1, 2)
        pixels = dense(rows, params, "decoder").unflatten(1, (len(z), -1)).transpose(0, 1)
        prior = bernoulli_log_prob(z, params["prior_logits"].unsqueeze(1))
        return prior + bernoulli_log_prob(self.observation, pixels)

    def summed_states(self, params: Params) -> Tensor | None:
        """All states of an image, the same for each."""
        if self.latent > MAX_ENUMERATED:
            return None
        states = binary_states(self.latent, params["prior_logits"])[:, None, None]
        return states.expand(-1, len(params["prior_logits"]), self.observation.shape[-2], -1)

    def _sum_over(self, states: Tensor, params: Params) -> Float[Tensor, " R"]:
        return self.sum_over_points(states, params)


@final
@dataclass(frozen=True)
class DeepSBN(LatentProgram, DigitsSBN):
    """One of several layers, each drawn given the one before."""

    encoder: ClassVar[None] = None  # pyright: ignore
    trained_by: ClassVar[tuple[str, int]] = ("score-function:control_variate=leave-one-out", 4)

    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        below, names = x, _names(self.layers)
        for layer in names:
            logits = linear(below, params[f"encoder{layer}_weight"], params[f"encoder{layer}_bias"])
            prior = Bernoulli(logits=params["prior_logits"]) if layer == names[-1] else "later"
            h = sample(f"h{layer}", Bernoulli(logits=logits), prior=prior)
            logits = linear(h, params[f"decoder{layer}_weight"], params[f"decoder{layer}_bias"])
            yield -bernoulli_log_prob(below, logits)
            below = h


def _names(layers: int) -> list[str]:
    """What the names of parameters end with, from the layer next to the pixels on."""
    return ["", *(str(layer) for layer in range(2, layers + 1))]
