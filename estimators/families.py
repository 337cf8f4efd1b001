"""Which distribution is sampled how: the forms of each, the default first; `Independent` is looked through.

A distribution that is not in the table falls back on its own `rsample` or `sample`.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import softplus

from estimators.distributions import Logistic, TruncatedNormal
from estimators.implicit import (
    Implicit,
    ImplicitBeta,
    ImplicitCDF,
    ImplicitDirichlet,
    ImplicitGamma,
    ImplicitStudentT,
    ImplicitVonMises,
)
from estimators.noise import NoiseSource
from estimators.rosenblatt import RosenblattMixture
from estimators.transforms import (
    Discrete,
    DiscreteFallback,
    Fallback,
    GaussianLocationScale,
    InverseCDF,
    LocationScale,
    PoissonSample,
    Pushforward,
    Transform,
    unwrap,
)

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


def _minus_log(u: Tensor) -> Tensor:
    return -u.log()


def _gumbel(u: Tensor) -> Tensor:
    return -(-u.log()).log()


def _laplace(u: Tensor) -> Tensor:
    return torch.where(u < 0.5, (2 * u).log(), -(2 * (1 - u)).log())


def _loc_scale(q: Any, z: Tensor) -> Tensor:
    return q.loc + q.scale * z


def _exp_loc_scale(q: Any, z: Tensor) -> Tensor:
    return (q.loc + q.scale * z).exp()


def _multivariate(q: Any, z: Tensor) -> Tensor:
    return q.loc + (q.scale_tril @ z.unsqueeze(-1)).squeeze(-1)


def _bernoulli(q: Any, u: Tensor) -> Tensor:
    return (u < q.probs).to(u.dtype)


def _category(q: Any, u: Tensor) -> Tensor:
    return (u.unsqueeze(-1) > q.probs.cumsum(-1)[..., :-1]).sum(-1)


def _one_hot(q: Any, u: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(_category(q, u), q.event_shape[-1]).to(u.dtype)


def _identity(u: Tensor) -> Tensor:
    return u


def _gumbel_cdf(q: Any, x: Tensor) -> Tensor:
    """torch's own leaves the support of its base where the uniform rounds to one."""
    return (-(-(x - q.loc) / q.scale).exp()).exp()


def _kumaraswamy(q: Any, u: Tensor) -> Tensor:
    x = (-(u.log() / q.concentration0).expm1()) ** (1 / q.concentration1)
    return x.clamp(torch.finfo(x.dtype).tiny, 1 - torch.finfo(x.dtype).eps / 2)


def _kumaraswamy_cdf(q: Any, x: Tensor) -> Tensor:
    return -(q.concentration0 * (-(q.concentration1 * x.log()).expm1()).log()).expm1()


def _kumaraswamy_density(q: Any, x: Tensor) -> Tensor:
    """torch's own is NaN near the ends of the interval."""
    a, b = q.concentration1, q.concentration0
    return a * b * x ** (a - 1) * (-(a * x.log()).expm1()) ** (b - 1)


def _by_quantile(standard: Callable, place: Callable, **level: Callable) -> dict[str, Transform]:
    quantile = InverseCDF(standard, place)
    return {"inverse-cdf": quantile, "implicit": Implicit(quantile, **level)}


def _location_scale(standard: Callable, place: Callable = _loc_scale, **level: Callable) -> dict[str, Transform]:
    return {"location-scale": LocationScale(standard, place), **_by_quantile(standard, place, **level)}


def _gaussian(place: Callable) -> dict[str, Transform]:
    return {"location-scale": GaussianLocationScale(place), **_by_quantile(torch.special.ndtri, place)}


FORMS: dict[type[td.Distribution], dict[str, Transform]] = {
    td.Normal: _gaussian(_loc_scale),
    td.LogNormal: _gaussian(_exp_loc_scale),
    td.MultivariateNormal: {"location-scale": GaussianLocationScale(_multivariate)},
    td.Laplace: _location_scale(_laplace),
    Logistic: _location_scale(torch.logit),
    td.Gumbel: _location_scale(_gumbel, cdf=_gumbel_cdf),
    td.Exponential: _location_scale(_minus_log, lambda q, z: z / q.rate),
    td.Uniform: _location_scale(_identity, lambda q, z: q.low + (q.high - q.low) * z),
    td.Weibull: _by_quantile(_minus_log, lambda q, z: q.scale * z ** (1 / q.concentration)),
    td.Kumaraswamy: _by_quantile(_identity, _kumaraswamy, cdf=_kumaraswamy_cdf, density=_kumaraswamy_density),
    TruncatedNormal: _by_quantile(_identity, lambda q, u: q.icdf(u)),
    td.Gamma: {"implicit": ImplicitGamma()},
    td.Beta: {"implicit": ImplicitBeta()},
    td.Dirichlet: {"implicit": ImplicitDirichlet()},
    td.StudentT: {"implicit": ImplicitStudentT()},
    td.VonMises: {"implicit": ImplicitVonMises()},
    td.Bernoulli: {"inverse-cdf": Discrete(_bernoulli)},
    td.Categorical: {"inverse-cdf": Discrete(_category)},
    td.OneHotCategorical: {"inverse-cdf": Discrete(_one_hot)},
    td.Poisson: {"sample": PoissonSample()},
}


def log_prob(q: td.Distribution, x: Tensor) -> Tensor:
    """log q(x), whose derivative has its own digits at any logit.

    Under `torch.func` and the compiler, that of torch's Bernoulli is 0 where the probability of x rounds to 1.
    """
    inner: Any = unwrap(q)
    if type(inner) is not td.Bernoulli:
        return q.log_prob(x)
    each = -x * softplus(-inner.logits) - (1 - x) * softplus(inner.logits)
    return each.sum(tuple(range(-len(q.event_shape), 0))) if q.event_shape else each
