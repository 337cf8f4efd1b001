"""The Gumbel distribution."""

from typing import Any

import torch.distributions as td
from torch import Tensor

from estimators.sampling.family import Family, register_family
from estimators.sampling.proposals import shifted_loc, widened_scale
from estimators.sampling.standard_forms import location_scale


def _standard(u: Tensor) -> Tensor:
    return -(-u.log()).log()


def _cdf(q: Any, x: Tensor) -> Tensor:
    """F(x); torch's own leaves the support of its base where the uniform rounds to one."""
    return (-(-(x - q.loc) / q.scale).exp()).exp()


@register_family(td.Gumbel)
def gumbel() -> Family:
    return Family(forms=location_scale(_standard, cdf=_cdf), widened=widened_scale, shifted=shifted_loc)
