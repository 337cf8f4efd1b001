"""The Kumaraswamy distribution on the unit interval, F(x) = 1 − (1 − x^a)^b."""

from typing import Any

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import softplus

from estimators.sampling.coordinates import in_coordinate, share
from estimators.sampling.family import Family, register_family
from estimators.sampling.standard_forms import by_quantile

NEGLIGIBLE = -15.0
"""Where r is less, the third term of the series log(1 − exp(−eʳ)) = r − eʳ/2 + e²ʳ/24 is below 4e-15."""
RARE = 3.0
"""Where r is more, p = exp(−eʳ) is below 2e-9, and the third term of log(−log(1 − p)) = log p + p/2 + 5p²/24 below
1e-18."""


def _log_minus_log(u: Tensor) -> Tensor:
    return (-u.log()).log()


def _log_complement(r: Tensor) -> Tensor:
    """log(1 − p), where r = log(−log p) holds p, which may round to 0 or to 1."""
    e = r.clamp(NEGLIGIBLE, 5.0).exp()
    known = torch.where(e < 0.7, (-torch.expm1(-e)).log(), torch.log1p(-(-e).exp()))
    return torch.where(r < NEGLIGIBLE, r - r.exp() / 2, known)


def _complement(r: Tensor) -> Tensor:
    """log(−log(1 − p)), where r = log(−log p)."""
    rare = (-r.clamp(min=RARE).exp()).exp() / 2 - r.exp()
    return torch.where(r > RARE, rare, (-_log_complement(r.clamp(max=RARE))).log())


def _logit(q: Any, r: Tensor) -> Tensor:
    """The logit of x, of log(−log u): u = (1 − x^a)^b."""
    held = _complement(r - q.concentration0.log()) - q.concentration1.log()  # log(−log x)
    return -held.exp() - _log_complement(held)


def _log_rest(q: Any, logit: Tensor) -> Tensor:
    """log(1 − x^a)."""
    near_one = logit > -NEGLIGIBLE
    middle = softplus(-torch.where(near_one, 0.0, logit)).log()
    held = torch.where(near_one, -logit - (-logit).exp() / 2, middle)  # log(−log x)
    return _log_complement(q.concentration1.log() + held)


def _log_density(q: Any, logit: Tensor) -> Tensor:
    """log q of x, but for −log x."""
    a, b = q.concentration1, q.concentration0
    return a.log() + b.log() - a * softplus(-logit) + (b - 1) * _log_rest(q, logit)


def _density(q: Any, logit: Tensor) -> Tensor:
    """q of the logit: that of x times x (1 − x)."""
    return (_log_density(q, logit) - softplus(logit)).exp()


def _cdf(q: Any, logit: Tensor) -> Tensor:
    return -(q.concentration0 * _log_rest(q, logit)).expm1()


@register_family(td.Kumaraswamy)
def kumaraswamy() -> Family:
    of_logit = by_quantile(_log_minus_log, _logit, cdf=_cdf, density=_density)
    return Family(forms=in_coordinate(of_logit, share, _log_density))
