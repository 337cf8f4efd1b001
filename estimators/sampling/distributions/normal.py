r"""The normal distribution.

| weak derivative | $c$ | $x^+ \sim p^+$ | $x^- \sim p^-$ | coupled |
|---|---|---|---|---|
| in $\mu$ | $1 / (\sigma \sqrt{2\pi})$ | $\mu + \sigma W$ | $\mu - \sigma W$ | the same W |
| in $\sigma$ | $1 / \sigma$ | $\mu + \sigma M$ | $\mu + \sigma N$ | N = M·uniform |

W has the Rayleigh density $w e^{-w^2/2}$ (Weibull), M the double-sided Maxwell density $z^2 \varphi(z)$; N is standard
normal.
"""

import math
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.family import Family, register_family
from estimators.sampling.proposals import shifted_loc, widened_scale
from estimators.sampling.standard_forms import gaussian, loc_scale
from estimators.sampling.weak_derivatives import Pair, Parts, one_uniform


def _normal_and_uniform(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    return source.normal((num_samples, *q.batch_shape)), *one_uniform(q, num_samples, source)


def _rayleigh(u: Tensor) -> Tensor:
    return (-2 * u.log()).sqrt()


def _maxwell(n: Tensor, u: Tensor) -> Tensor:
    """Double-sided Maxwell, density z² φ(z): n / M is uniform on (0, 1), independent of M."""
    return torch.copysign((n**2 - 2 * u.log()).sqrt(), n)


@register_family(td.Normal)
def normal() -> Family:
    return Family(
        forms=gaussian(loc_scale),
        widened=widened_scale,
        shifted=shifted_loc,
        weak_derivatives={
            "loc": Pair(
                lambda q: 1 / (q.scale * math.sqrt(2 * math.pi)),
                lambda q, u: q.loc + q.scale * _rayleigh(u),
                lambda q, u: q.loc - q.scale * _rayleigh(u),
                one_uniform,
            ),
            "scale": Pair(
                lambda q: 1 / q.scale,
                lambda q, n, u: q.loc + q.scale * _maxwell(n, u),
                lambda q, n, u: q.loc + q.scale * n,
                _normal_and_uniform,
            ),
        },
    )
