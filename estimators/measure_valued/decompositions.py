r"""Which distribution has which weak derivatives $\partial_\varphi q = c_\varphi (p^+ - p^-)$.

| parameter | $c$ | $x^+ \sim p^+$ | $x^- \sim p^-$ | coupled |
|---|---|---|---|---|
| Normal $\mu$ | $1 / (\sigma \sqrt{2\pi})$ | $\mu + \sigma W$ | $\mu - \sigma W$ | the same W |
| Normal $\sigma$ | $1 / \sigma$ | $\mu + \sigma M$ | $\mu + \sigma N$ | N = M·uniform |
| Exponential $\lambda$ | $1 / \lambda$ | $E_1 / \lambda$ | $(E_1 + E_2) / \lambda$ | the same $E_1$ |
| Gamma $\beta$ | $\alpha / \beta$ | $G / \beta$ | $(G + E) / \beta$ | the same G |
| Weibull $s$ | $k / s$ | $s (E_1 + E_2)^{1/k}$ | $s E_1^{1/k}$ | the same $E_1$ |
| Poisson $\lambda$ | 1 | $n + 1$ | $n$ | the same n |
| Bernoulli $p$ | 1 | 1 | 0 | |
| Categorical $p_k$ | 1 | k | the last category | |

W has the Rayleigh density $w e^{-w^2/2}$ (Weibull), M the double-sided Maxwell density $z^2 \varphi(z)$; N is standard
normal, E, $E_1$ and $E_2$ are Exp(1), G is Gamma(α, 1), n is Poisson(λ).
Pflug 1996; Heidergott, Vázquez-Abad & Volk-Makarewicz 2008; Mohamed et al. 2020, sec. 6, table 1.
"""

import math
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from estimators.measure_valued.weak_derivatives import Categories, Pair, Parts, WeakDerivative
from estimators.noise import NoiseSource

__all__ = ["WEAK_DERIVATIVES"]


def _one_uniform(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    return (source.uniform((num_samples, *q.batch_shape)),)


def _normal_and_uniform(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    return source.normal((num_samples, *q.batch_shape)), *_one_uniform(q, num_samples, source)


def _two_exponentials(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    return tuple(-source.uniform((num_samples, *q.batch_shape)).log() for _ in range(2))


def _gamma_and_exponential(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    gamma = source.standard_gamma(q.concentration.detach(), num_samples)
    return gamma, -_one_uniform(q, num_samples, source)[0].log()


def _poisson(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    return (source.poisson(q.rate.detach(), num_samples),)


def _nothing(q: Any, num_samples: int, source: NoiseSource) -> Parts:
    return ()


def _rayleigh(u: Tensor) -> Tensor:
    return (-2 * u.log()).sqrt()


def _maxwell(n: Tensor, u: Tensor) -> Tensor:
    """Double-sided Maxwell, density z² φ(z): n / M is uniform on (0, 1), independent of M."""
    return torch.copysign((n**2 - 2 * u.log()).sqrt(), n)


WEAK_DERIVATIVES: dict[type[td.Distribution], dict[str, WeakDerivative]] = {
    td.Normal: {
        "loc": Pair(
            lambda q: 1 / (q.scale * math.sqrt(2 * math.pi)),
            lambda q, u: q.loc + q.scale * _rayleigh(u),
            lambda q, u: q.loc - q.scale * _rayleigh(u),
            _one_uniform,
        ),
        "scale": Pair(
            lambda q: 1 / q.scale,
            lambda q, n, u: q.loc + q.scale * _maxwell(n, u),
            lambda q, n, u: q.loc + q.scale * n,
            _normal_and_uniform,
        ),
    },
    td.Exponential: {
        "rate": Pair(
            lambda q: 1 / q.rate,
            lambda q, e, more: e / q.rate,
            lambda q, e, more: (e + more) / q.rate,
            _two_exponentials,
        )
    },
    td.Gamma: {
        "rate": Pair(
            lambda q: q.concentration / q.rate,
            lambda q, g, e: g / q.rate,
            lambda q, g, e: (g + e) / q.rate,
            _gamma_and_exponential,
        )
    },
    td.Weibull: {
        "scale": Pair(
            lambda q: q.concentration / q.scale,
            lambda q, e, more: q.scale * (e + more) ** (1 / q.concentration),
            lambda q, e, more: q.scale * e ** (1 / q.concentration),
            _two_exponentials,
        )
    },
    td.Poisson: {"rate": Pair(lambda q: torch.ones_like(q.rate), lambda q, n: n + 1, lambda q, n: n, _poisson)},
    td.Bernoulli: {
        "probs": Pair(
            lambda q: torch.ones_like(q.probs),
            lambda q: torch.ones_like(q.probs),
            lambda q: torch.zeros_like(q.probs),
            _nothing,
        )
    },
    td.Categorical: {"probs": Categories(lambda classes, device: torch.arange(classes, device=device))},
    td.OneHotCategorical: {"probs": Categories(lambda classes, device: torch.eye(classes, device=device))},
}
