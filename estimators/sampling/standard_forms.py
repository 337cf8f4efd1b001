"""The forms of distributions that are placed copies of a standard one, and what such distributions share."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators.sampling.implicit import Implicit
from estimators.sampling.transforms import Forms, GaussianLocationScale, InverseCDF, LocationScale

__all__ = ["by_quantile", "gaussian", "identity", "loc_scale", "location_scale", "minus_log", "normal_cdf"]


def minus_log(u: Tensor) -> Tensor:
    """Exp(1) of a uniform."""
    return -u.log()


def identity(u: Tensor) -> Tensor:
    """The uniform itself."""
    return u


def loc_scale(q: Any, z: Tensor) -> Tensor:
    """z of the standard distribution, placed."""
    return q.loc + q.scale * z


def normal_cdf(x: Tensor) -> Tensor:
    """The standard normal distribution function; `torch.special.ndtr` is 0 below −5.5 in float32."""
    return torch.special.erfc(-x / math.sqrt(2)) / 2


def by_quantile(standard: Callable, place: Callable, **level: Callable) -> Forms:
    """The forms of x = place(q, standard(u)). `level`: `cdf` and `density`, where torch's do not serve."""
    quantile = InverseCDF(standard, place)
    return {"inverse-cdf": quantile, "implicit": Implicit(quantile, **level)}


def location_scale(standard: Callable, place: Callable = loc_scale, **level: Callable) -> Forms:
    """The forms of x = place(q, z), z = standard(u): first with z as the noise, then with u."""
    return {"location-scale": LocationScale(standard, place), **by_quantile(standard, place, **level)}


def gaussian(place: Callable, **level: Callable) -> Forms:
    """The forms of x = place(q, z) with z standard normal."""
    return {"location-scale": GaussianLocationScale(place), **by_quantile(torch.special.ndtri, place, **level)}
