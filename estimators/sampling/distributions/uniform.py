"""The uniform distribution."""

import torch.distributions as td

from estimators.sampling.family import Family, register_family
from estimators.sampling.standard_forms import identity, location_scale


@register_family(td.Uniform)
def uniform() -> Family:
    return Family(forms=location_scale(identity, lambda q, z: q.low + (q.high - q.low) * z))
