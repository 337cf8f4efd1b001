r"""The Weibull distribution, F(x) = 1 − exp(−(x / s)^k).

Its weak derivative in the scale s: $c = k / s$, $x^+ = s (E_1 + E_2)^{1/k}$, $x^- = s E_1^{1/k}$, coupled by the same
$E_1$, where $E_1$ and $E_2$ are Exp(1).
"""

from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from estimators.sampling.coordinates import in_coordinate, positive
from estimators.sampling.family import Family, register_family
from estimators.sampling.standard_forms import by_quantile
from estimators.sampling.weak_derivatives import Pair, two_exponentials


def _log_minus_log(u: Tensor) -> Tensor:
    return (-u.log()).log()


def _log_x(q: Any, log_e: Tensor) -> Tensor:
    """log x, of the logarithm of an Exp(1) variate."""
    return q.scale.log() + log_e / q.concentration


def _log_e(q: Any, log_x: Tensor) -> Tensor:
    return q.concentration * (log_x - q.scale.log())


def _log_density(q: Any, log_x: Tensor) -> Tensor:
    log_e = _log_e(q, log_x)
    return q.concentration.log() + log_e - log_e.exp()


def _density(q: Any, log_x: Tensor) -> Tensor:
    return _log_density(q, log_x).exp()


def _cdf(q: Any, log_x: Tensor) -> Tensor:
    return -torch.expm1(-_log_e(q, log_x).exp())


@register_family(td.Weibull)
def weibull() -> Family:
    of_log = by_quantile(_log_minus_log, _log_x, cdf=_cdf, density=_density)
    return Family(
        forms=in_coordinate(of_log, positive, _log_density),
        widened=lambda q, factor: td.Weibull(q.scale * factor, q.concentration),
        weak_derivatives={
            "scale": Pair(
                lambda q: q.concentration / q.scale,
                lambda q, e, more: q.scale * (e + more) ** (1 / q.concentration),
                lambda q, e, more: q.scale * e ** (1 / q.concentration),
                two_exponentials,
            )
        },
    )
