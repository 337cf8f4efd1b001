"""The categorical distribution, where x is the number of the category.

Its widened proposal has the temperature multiplied by the factor.
Its weak derivative in $p_k$: $c = 1$, $x^+ = k$ and $x^-$ the last category.
"""

from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from estimators.sampling.family import Family, register_family
from estimators.sampling.states import Index
from estimators.sampling.transforms import Discrete
from estimators.sampling.weak_derivatives import Categories

__all__ = ["quantile"]


def quantile(q: Any, u: Tensor) -> Tensor:
    """The number of the category at level u: none that has probability zero, where rounding leaves a gap at the end."""
    levels = q.probs.cumsum(-1)
    inner = levels[..., :-1]
    return (u.unsqueeze(-1) > inner.masked_fill(inner >= levels[..., -1:], 2.0)).sum(-1)


@register_family(td.Categorical)
def categorical() -> Family:
    return Family(
        forms={"inverse-cdf": Discrete(quantile)},
        widened=lambda q, factor: td.Categorical(logits=q.logits / factor),
        weak_derivatives={"probs": Categories(lambda classes, device: torch.arange(classes, device=device))},
        states=Index(),
    )
