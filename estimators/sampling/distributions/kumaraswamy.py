"""The Kumaraswamy distribution on the unit interval."""

from typing import Any

import torch.distributions as td
from torch import Tensor

from estimators.sampling.family import Family, register_family
from estimators.sampling.implicit import inside_unit_interval
from estimators.sampling.standard_forms import by_quantile, identity


def _quantile(q: Any, u: Tensor) -> Tensor:
    return inside_unit_interval((-(u.log() / q.concentration0).expm1()) ** (1 / q.concentration1))


def _cdf(q: Any, x: Tensor) -> Tensor:
    return -(q.concentration0 * (-(q.concentration1 * x.log()).expm1()).log()).expm1()


def _density(q: Any, x: Tensor) -> Tensor:
    """q(x); torch's own is NaN near the ends of the interval."""
    a, b = q.concentration1, q.concentration0
    return a * b * x ** (a - 1) * (-(a * x.log()).expm1()) ** (b - 1)


@register_family(td.Kumaraswamy)
def kumaraswamy() -> Family:
    return Family(forms=by_quantile(identity, _quantile, cdf=_cdf, density=_density))
