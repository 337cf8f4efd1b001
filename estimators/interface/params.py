"""Named parameters with a replicate axis, and derivatives in them."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Params", "attached", "derivative", "hessian_product", "in_range", "replicated", "scaled"]

Params = dict[str, Tensor]
"""Named parameters, each `[R, *shape]`."""


def replicated(params: Params, replicates: int) -> Params:
    """Parameters without a replicate axis as `[R, *shape]`, without copying."""
    return {name: value.expand(replicates, *value.shape) for name, value in params.items()}


def derivative(total: Tensor, params: Params, *, differentiable: bool = False) -> Params:
    """The gradient of a scalar by autograd; zero for parameters that it does not depend on, even if those are all.

    With `differentiable` the gradient can be differentiated in turn, e.g. in coefficients that `fit` learns.
    """
    if not total.requires_grad:
        return {name: torch.zeros_like(value) for name, value in params.items()}
    gradients = torch.autograd.grad(total, list(params.values()), materialize_grads=True, create_graph=differentiable)
    return dict(zip(params, gradients, strict=True))


def hessian_product(total: Tensor, params: Params, direction: Params) -> Params:
    """The Hessian of a scalar times a direction, of the shape of the parameters or one for all replicates."""
    gradient = derivative(total, params, differentiable=True)
    return derivative(torch.stack([(gradient[name] * direction[name]).sum() for name in params]).sum(), params)


def attached(slopes: Tensor, y: Tensor) -> Float[Tensor, " R"]:
    """Zero, with the constant slopes `[R, *shape]` as its gradient in y `[R, *shape]`."""
    return (slopes * (y - y.detach())).reshape(len(y), -1).sum(1)


def in_range(value: Tensor) -> Tensor:
    """The value, with the largest number in place of infinity, of which there are differences."""
    limits = torch.finfo(value.dtype)
    return value.clamp(limits.min, limits.max)


def scaled(value: Tensor, factor: Tensor) -> Tensor:
    """The same value, whose gradient gets multiplied by a factor."""
    within = in_range(value)
    return value.detach() + factor * (within - within.detach())
