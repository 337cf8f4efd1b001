"""The Laplace distribution."""

import torch
import torch.distributions as td
from torch import Tensor

from estimators.sampling.family import Family, register_family
from estimators.sampling.proposals import shifted_loc, widened_scale
from estimators.sampling.standard_forms import location_scale


def _standard(u: Tensor) -> Tensor:
    return torch.where(u < 0.5, (2 * u).log(), -(2 * (1 - u)).log())


@register_family(td.Laplace)
def laplace() -> Family:
    return Family(forms=location_scale(_standard), widened=widened_scale, shifted=shifted_loc)
