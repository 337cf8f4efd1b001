"""Mixtures: Gaussian ones have an implicit form in any dimension, others where their components have a `cdf`."""

from typing import Any

import torch.distributions as td

from estimators.sampling.family import Family, register_family
from estimators.sampling.own_sampler import Fallback, own_forms
from estimators.sampling.proposals import widened
from estimators.sampling.rosenblatt import RosenblattMixture
from estimators.sampling.transforms import Forms, unwrap


def _forms(q: Any) -> Forms:
    component = q.component_distribution
    if isinstance(unwrap(component), td.Normal | td.MultivariateNormal):
        return {"implicit": RosenblattMixture()}
    # A mixture has a `cdf` in any case, which fails where that of the components does.
    known = type(component).cdf is not td.Distribution.cdf
    return own_forms(q) if known or q.has_rsample else {"sample": Fallback(differentiable=False)}


@register_family(td.MixtureSameFamily)
def mixture() -> Family:
    return Family(
        forms=_forms,
        widened=lambda q, factor: td.MixtureSameFamily(
            q.mixture_distribution, widened(q.component_distribution, factor)
        ),
    )
