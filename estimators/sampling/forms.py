"""The forms of each distribution that is known, the default first."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from estimators.sampling.implicit import (
    Implicit,
    ImplicitBeta,
    ImplicitDirichlet,
    ImplicitGamma,
    ImplicitStudentT,
    ImplicitVonMises,
)
from estimators.sampling.missing import Logistic, TruncatedNormal
from estimators.sampling.transforms import (
    Discrete,
    GaussianLocationScale,
    InverseCDF,
    LocationScale,
    PoissonSample,
    Transform,
)

__all__ = ["FORMS"]


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
