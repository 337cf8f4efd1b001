"""Transforms of torch, undone: what a fixed x was transformed from, as a function of the parameters."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import transforms as tt
from torch.distributions.utils import _sum_rightmost

__all__ = ["pulled_back", "single"]

WITHOUT_PARAMETERS = (
    tt.ExpTransform,
    tt.SigmoidTransform,
    tt.SoftplusTransform,
    tt.StickBreakingTransform,
    tt.TanhTransform,
)


def single(transforms: Iterable[tt.Transform]) -> list[Any]:
    """The transforms one by one, the first first: those inside of any `ComposeTransform` and `IndependentTransform`."""
    found: list[Any] = []
    for transform in transforms:
        if isinstance(transform, tt.ComposeTransform):
            found += single(transform.parts)
        elif isinstance(transform, tt.IndependentTransform):
            found += single([transform.base_transform])
        else:
            found.append(transform)
    return found


def pulled_back(transforms: Sequence[Any], states: Sequence[Tensor], event_dim: int) -> tuple[Tensor, Tensor] | None:
    """The base sample of a fixed x, and log |det J| of the transforms up to the last that moves with parameters.

    `states` are x and what each transform was applied to, the last transform's first: their values are kept, and get
    the derivative that keeps x fixed. None: no transform moves, so that the base sample is fixed as well.
    """
    moving, log_jacobian = None, torch.zeros(())
    for transform, after, before in zip(reversed(transforms), states, states[1:], strict=False):
        event_dim += transform.domain.event_dim - transform.codomain.event_dim
        if moving is None and type(transform) in WITHOUT_PARAMETERS:
            continue
        before = before.detach()  # a new tensor, which no transform has in its cache
        moved = transform(before)
        if moving is None and not moved.requires_grad:
            continue
        after = after.detach() if moving is None else moving
        moving = _undone(transform, before, moved, after)
        each = transform.log_abs_det_jacobian(moving, after)
        log_jacobian = log_jacobian + _sum_rightmost(each, event_dim - transform.domain.event_dim)
    return None if moving is None else (moving, log_jacobian)


def _undone(transform: Any, before: Tensor, moved: Tensor, after: Tensor) -> Tensor:
    """`before`, with the derivative that gives `after` its own where the transform of it is `moved`.

    Of one variable, z = z₀ + (x(θ) − T(z₀; θ)) / J, which does not suffer from the rounding of x. Else by the inverse.
    """
    slope = _slope(transform, before, after)
    if slope is None:
        inverse = transform.inv(after)
        return before + (inverse - inverse.detach())
    return before + ((after - after.detach()) - (moved - moved.detach())) / slope


def _slope(transform: Any, before: Tensor, after: Tensor) -> Tensor | None:
    """The derivative of a transform of one variable; None: it is not one, or does not say whether it increases."""
    if transform.domain.event_dim or transform.codomain.event_dim:
        return None
    try:
        sign = transform.sign
    except NotImplementedError:
        return None
    with torch.no_grad():
        return sign * transform.log_abs_det_jacobian(before, after.detach()).exp()
