"""The log-normal distribution: the exponential of a normal x."""

import math
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from estimators.sampling.coordinates import in_coordinate
from estimators.sampling.family import Family, register_family
from estimators.sampling.proposals import shifted_loc, widened_scale
from estimators.sampling.standard_forms import gaussian, loc_scale, normal_cdf


def _z(q: Any, log_x: Tensor) -> Tensor:
    return (log_x - q.loc) / q.scale


def _log_density(q: Any, log_x: Tensor) -> Tensor:
    return -(_z(q, log_x) ** 2) / 2 - q.scale.log() - math.log(2 * math.pi) / 2


@register_family(td.LogNormal)
def log_normal() -> Family:
    of_log = gaussian(
        loc_scale,
        cdf=lambda q, log_x: normal_cdf(_z(q, log_x)),
        density=lambda q, log_x: _log_density(q, log_x).exp(),
    )
    return Family(forms=in_coordinate(of_log, torch.exp, _log_density), widened=widened_scale, shifted=shifted_loc)
