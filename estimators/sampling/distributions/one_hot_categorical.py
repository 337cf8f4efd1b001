r"""The categorical distribution with one-hot x. Its widened proposal has the temperature multiplied by the factor.

Its weak derivative in $p_k$: $c = 1$, $x^+$ the category k and $x^-$ the last one.
"""

from typing import Any, final

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import one_hot

from estimators.sampling.distributions.categorical import quantile
from estimators.sampling.family import Family, register_family
from estimators.sampling.relaxation import Relaxation
from estimators.sampling.states import OneHot
from estimators.sampling.transforms import Discrete
from estimators.sampling.weak_derivatives import Categories


@final
class Gumbels(Relaxation):
    """z = log p + Gumbel noise; x marks the largest entry, and given x the others are truncated below that."""

    def perturbed(self, q: Any, u: Tensor) -> Tensor:
        return OneHot().log_probabilities(q) - (-u.log()).log()

    def hard(self, z: Tensor) -> Tensor:
        return one_hot(z.argmax(-1), z.shape[-1]).to(z.dtype)

    def soft(self, z: Tensor, temperature: Tensor | float) -> Tensor:
        return (z / temperature).softmax(-1)

    def conditional(self, q: Any, x: Tensor, v: Tensor) -> Tensor:
        level = (-v.log()).log()
        top = (level * x).sum(-1, keepdim=True)
        others = torch.logaddexp(level - OneHot().log_probabilities(q), top)
        return -torch.where(x > 0.5, top, others)


def _quantile(q: Any, u: Tensor) -> Tensor:
    return one_hot(quantile(q, u), q.event_shape[-1]).to(u.dtype)


@register_family(td.OneHotCategorical)
def one_hot_categorical() -> Family:
    return Family(
        forms={"inverse-cdf": Discrete(_quantile)},
        widened=lambda q, factor: td.OneHotCategorical(logits=q.logits / factor),
        weak_derivatives={"probs": Categories(lambda classes, device: torch.eye(classes, device=device))},
        relaxation=Gumbels(),
        states=OneHot(),
    )
