"""The Cauchy distribution."""

import torch
import torch.distributions as td
from torch import Tensor

from estimators.sampling.family import Family, register_family
from estimators.sampling.proposals import shifted_loc, widened_scale
from estimators.sampling.standard_forms import location_scale


def _standard(u: Tensor) -> Tensor:
    """−1 / tan(πu), which has all digits in the lower tail, as u has."""
    return -1 / torch.tan(torch.pi * u)


@register_family(td.Cauchy)
def cauchy() -> Family:
    return Family(forms=location_scale(_standard), widened=widened_scale, shifted=shifted_loc)
