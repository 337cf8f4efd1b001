r"""Whether the support of q moves with its parameters: then the score does not have mean zero.

$\mathbb{E}[\nabla_\theta \log q] = \nabla_\theta \int q = 0$ holds where the density vanishes at every bound that
depends on $\theta$; else it is the density at the bound, times the speed of the bound. For discrete x, a state of
probability zero whose probability has a derivative is such a bound.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from estimators.noise import IID
from estimators.sampling import families
from estimators.sampling.family import family_of
from estimators.sampling.transforms import unwrap

__all__ = ["moves_its_support"]

SAMPLES = 16
NEAR = 1e-6
"""The distance from a bound, in units of that of a typical sample, where the density is looked at. It vanishes if it is
less than this part of the largest: a density that falls linearly, whose score has no finite variance, does not."""
ROUNDING = 1e-12
"""What rounding may leave of the derivative of a probability of 1, which is 0."""


def moves_its_support(q: td.Distribution, leaves: list[Tensor]) -> bool:
    """Whether a bound of the support of q `[1, *E]`, in float64, depends on the leaves that q was made of."""
    q = unwrap(q)
    if (conditionals := family_of(q).conditionals) is not None:
        return any(moves_its_support(one, leaves) for one in conditionals(q))
    while isinstance(q, td.MixtureSameFamily):
        q = unwrap(q.component_distribution)
    moving = [bound for bound in _bounds(q) if bound.requires_grad and bound.isfinite().any()]
    edges = [bound.where(_is_dense_at(q, bound) & bound.isfinite(), 0.0) for bound in moving]
    return any(_depends(edge, leaves, 0.0) for edge in edges) or any(
        _depends(value, leaves, ROUNDING) for value in _impossible(q)
    )


def _depends(value: Tensor, leaves: list[Tensor], least: float) -> bool:
    """Whether an entry has a derivative above the least: by a sum with weights, in which no two cancel."""
    if not value.requires_grad:
        return False
    weights = 1 + torch.rand(value.shape, generator=torch.Generator().manual_seed(0), dtype=value.dtype)
    slopes = torch.autograd.grad((weights * value).sum(), leaves, allow_unused=True, retain_graph=True)
    return any(slope is not None and bool((slope.nan_to_num(0.0).abs() > least).any()) for slope in slopes)


def _bounds(q: td.Distribution) -> list[Tensor]:
    """The bounds of each coordinate of x, infinite ones included, as functions of the parameters: `[1, *E]` each."""
    if not isinstance(q, td.TransformedDistribution):
        return _of_support(q)
    found = _bounds(unwrap(q.base_dist))
    for transform in q.transforms:
        images = list(_images(transform, found))
        found = images if transform.bijective else images + list(_of_constraint(transform.codomain))
    own = type(q).support is not td.TransformedDistribution.support
    return [*found, *_of_support(q)] if own else found


def _images(transform: Any, bounds: list[Tensor]) -> Iterator[Tensor]:
    """Where a transform takes the bounds: for one of vectors, where it takes the corners."""
    for bound in bounds:
        try:
            yield transform(bound)
        except (ValueError, RuntimeError):  # it is not defined at infinity
            continue


def _of_support(q: td.Distribution) -> list[Tensor]:
    try:
        support = q.support
    except NotImplementedError:
        return []
    return [bound.expand(q.batch_shape + q.event_shape) for bound in _of_constraint(support)]


def _of_constraint(constraint: Any) -> Iterator[Tensor]:
    """The bounds that a constraint names, and infinity for none: a transform may take that to something finite."""
    while hasattr(constraint, "base_constraint"):
        constraint = constraint.base_constraint
    if constraint is None or constraints.is_dependent(constraint) or constraint.is_discrete:
        return
    for name, without in (("lower_bound", -math.inf), ("upper_bound", math.inf)):
        yield torch.as_tensor(getattr(constraint, name, without), dtype=torch.float64)


def _is_dense_at(q: td.Distribution, bound: Tensor) -> Tensor:
    """Whether the density of q next to a bound does not vanish, for each of its variables; where that fails, true."""
    with torch.no_grad():
        try:
            x = families.values(q, families.noise(q, SAMPLES, IID(0, dtype=torch.float64)))
            inwards = (x - bound).median(0).values
            near = torch.where(bound.isfinite(), bound + NEAR * inwards, x[0])
            rise = q.log_prob(near.unsqueeze(0))[0] - q.log_prob(x).amax(0)
        except (ValueError, RuntimeError):
            return torch.ones_like(bound, dtype=torch.bool)
        dense = ~(rise < math.log(NEAR))
    return dense.reshape(*dense.shape, *[1] * len(q.event_shape)).expand(bound.shape)


def _impossible(q: Any) -> Iterator[Tensor]:
    """The probabilities of a discrete q, or its rate, where they are exactly 0 or 1; elsewhere 0."""
    try:
        discrete = q.support.is_discrete
    except (NotImplementedError, AttributeError):
        return
    for name in ("probs", "rate") if discrete else ():
        value = getattr(q, name, None)
        if isinstance(value, Tensor) and value.is_floating_point():
            certain = (value == 0) | ((value == 1) if name == "probs" else False)
            yield value.where(certain, 0.0)
