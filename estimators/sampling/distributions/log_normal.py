"""The log-normal distribution: the exponential of a normal x."""

from typing import Any

import torch.distributions as td
from torch import Tensor

from estimators.sampling.family import Family, register_family
from estimators.sampling.proposals import shifted_loc, widened_scale
from estimators.sampling.standard_forms import gaussian


def _exp_loc_scale(q: Any, z: Tensor) -> Tensor:
    return (q.loc + q.scale * z).exp()


@register_family(td.LogNormal)
def log_normal() -> Family:
    return Family(forms=gaussian(_exp_loc_scale), widened=widened_scale, shifted=shifted_loc)
