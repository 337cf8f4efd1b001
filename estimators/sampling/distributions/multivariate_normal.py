"""The normal distribution with a full covariance."""

from typing import Any

import torch.distributions as td
from torch import Tensor

from estimators.sampling.family import Family, register_family
from estimators.sampling.transforms import GaussianLocationScale


def _place(q: Any, z: Tensor) -> Tensor:
    return q.loc + (q.scale_tril @ z.unsqueeze(-1)).squeeze(-1)


@register_family(td.MultivariateNormal)
def multivariate_normal() -> Family:
    return Family(
        forms={"location-scale": GaussianLocationScale(_place)},
        widened=lambda q, factor: td.MultivariateNormal(q.loc, scale_tril=q.scale_tril * factor),
        shifted=lambda q, deviations: td.MultivariateNormal(
            q.loc + deviations * q.scale_tril.sum(-1), scale_tril=q.scale_tril
        ),
    )
