"""Which distribution is sampled how: the forms of each, the default first; `Independent` is looked through.

A distribution that is not in the table falls back on its own `rsample` or `sample`.
"""

from typing import Any

import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import softplus

from estimators.noise import NoiseSource
from estimators.sampling.forms import FORMS
from estimators.sampling.implicit import (
    ImplicitCDF,
)
from estimators.sampling.rosenblatt import RosenblattMixture
from estimators.sampling.transforms import DiscreteFallback, Fallback, Pushforward, Transform, unwrap

__all__ = ["find", "forms", "log_prob", "noise", "sample", "unwrap", "values"]


def forms(q: td.Distribution) -> dict[str, Transform]:
    """The forms of a distribution by name, the default first."""
    base = unwrap(q)
    if type(base) in FORMS:
        return FORMS[type(base)]
    if isinstance(base, td.TransformedDistribution):
        return {name: Pushforward(form) for name, form in forms(base.base_dist).items()}
    if isinstance(base, td.MixtureSameFamily) and isinstance(unwrap(base.component_distribution), GAUSSIAN):
        return {"implicit": RosenblattMixture()}
    if base.has_rsample:
        return {"rsample": Fallback()}
    return {"implicit": ImplicitCDF()} if _has_cdf(base) else {"sample": DiscreteFallback()}


GAUSSIAN = td.Normal | td.MultivariateNormal


def _has_cdf(q: td.Distribution) -> bool:
    """A continuous scalar with a distribution function of its own."""
    if q.event_shape or constraints.is_dependent(q.support) or q.support is None or q.support.is_discrete:
        return False
    component = q.component_distribution if isinstance(q, td.MixtureSameFamily) else q
    return type(component).cdf is not td.Distribution.cdf


def find(q: td.Distribution, form: str = "auto") -> Transform:
    """The transform of a form. ValueError: the distribution does not have it."""
    available = forms(q)
    if form == "auto":
        return next(iter(available.values()))
    if form not in available:
        raise ValueError(f"{type(unwrap(q)).__name__} has no form '{form}'; it has {', '.join(available)}")
    return available[form]


def noise(q: td.Distribution, num_samples: int, source: NoiseSource, form: str = "auto") -> Tensor:
    """Noise for samples `[S, R, *E]` of a distribution with batch `[R]` and event `E`."""
    return find(q, form).noise(unwrap(q), num_samples, source)


def sample(q: td.Distribution, noise: Tensor, form: str = "auto") -> Tensor:
    """The samples `[S, R, *E]` that the noise stands for, differentiable in q's parameters where the form is."""
    return find(q, form).sample(unwrap(q), noise)


def values(q: td.Distribution, noise: Tensor, form: str = "auto") -> Tensor:
    """`sample`, detached and without the work for its derivatives."""
    return find(q, form).values(unwrap(q), noise)


def log_prob(q: td.Distribution, x: Tensor) -> Tensor:
    """log q(x), whose derivative has its own digits at any logit.

    Under `torch.func` and the compiler, that of torch's Bernoulli is 0 where the probability of x rounds to 1.
    """
    inner: Any = unwrap(q)
    if type(inner) is not td.Bernoulli:
        return q.log_prob(x)
    each = -x * softplus(-inner.logits) - (1 - x) * softplus(inner.logits)
    return each.sum(tuple(range(-len(q.event_shape), 0))) if q.event_shape else each
