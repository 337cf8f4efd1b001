r"""The Bernoulli distribution. Its widened proposal has the temperature multiplied by the factor.

Its weak derivative in p: $c = 1$, $x^+ = 1$ and $x^- = 0$, without any noise.
"""

from typing import Any, final

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import softplus

from estimators.noise import NoiseSource
from estimators.sampling.family import Family, register_family
from estimators.sampling.relaxation import Relaxation
from estimators.sampling.states import Binary, finite_logits
from estimators.sampling.transforms import Discrete
from estimators.sampling.weak_derivatives import Pair, Parts


@final
class Logit(Relaxation):
    """z = logit − logit(u) > 0, the same x = 1[u < p] that the quantile function gives."""

    def perturbed(self, q: Any, u: Tensor) -> Tensor:
        return finite_logits(q) - torch.logit(u)

    def hard(self, z: Tensor) -> Tensor:
        return (z > 0).to(z.dtype)

    def soft(self, z: Tensor, temperature: Tensor | float) -> Tensor:
        return torch.sigmoid(z / temperature)

    def conditional(self, q: Any, x: Tensor, v: Tensor) -> Tensor:
        logits = finite_logits(q)
        above = softplus(torch.logit(v) + softplus(logits))
        below = -softplus(torch.logit(v) + softplus(-logits))
        return torch.where(x > 0.5, above, below)


def _quantile(q: Any, u: Tensor) -> Tensor:
    return (u < q.probs).to(u.dtype)


def _log_prob(q: Any, x: Tensor) -> Tensor:
    """log q(x); torch's own loses its derivative under `torch.func` and the compiler, where P(x) rounds to 1.

    Linear in x, as relaxed samples need it.
    """
    logits = finite_logits(q)
    return -x * softplus(-logits) - (1 - x) * softplus(logits)


def _nothing(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    return ()


@register_family(td.Bernoulli)
def bernoulli() -> Family:
    return Family(
        forms={"inverse-cdf": Discrete(_quantile)},
        log_prob=_log_prob,
        widened=lambda q, factor: td.Bernoulli(logits=q.logits / factor),
        weak_derivatives={
            "probs": Pair(
                lambda q: torch.ones_like(q.probs),
                lambda q: torch.ones_like(q.probs),
                lambda q: torch.zeros_like(q.probs),
                _nothing,
            )
        },
        relaxation=Logit(),
        states=Binary(),
    )
