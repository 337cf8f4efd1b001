"""Operations with the weights of a network, and how they are computed where all replicates have the same weights."""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, final

import torch
from torch import Tensor

__all__ = ["Operation", "weighted"]


class Operation(ABC):
    """Linear in the weights: a product, a convolution, a table that is looked up."""

    @abstractmethod
    def together(self, x: Tensor, weight: Tensor) -> Tensor:
        """The outputs `[R, *Y]` for inputs `[R, *X]` of all replicates with the same weights, `[*W]`."""

    @abstractmethod
    def slope_in_x(self, x: Tensor, weight: Tensor, slope: Tensor) -> Tensor:
        """The derivative in x, for a derivative in the outputs: an operation with the same weights, `[R, *W]`."""

    @abstractmethod
    def slope_in_weight(self, x: Tensor, weight: Tensor, slope: Tensor) -> Tensor:
        """The derivative in the weights of each replicate, `[R, *W]`; x is `[R, *X]`, or `[1, *X]` for all."""


def weighted(operation: Operation, x: Tensor, weight: Tensor) -> Tensor:
    """The outputs of an operation, inside of `torch.func.vmap` over replicates too."""
    return Shared.apply(operation, x.unsqueeze(0), weight.unsqueeze(0)).squeeze(0)  # pyright: ignore


@final
class Shared(torch.autograd.Function):
    """An operation on x `[R, *X]`, or `[1, *X]` for all, with weights `[R, *W]` that are the same in all replicates.

    The outputs and the derivative in x are computed at once for all replicates, as if there were one. The derivative
    in the weights is one for each. Both can be differentiated in turn.
    """

    @staticmethod
    def forward(operation: Operation, x: Tensor, weight: Tensor) -> Tensor:
        y = operation.together(x, weight[0])
        return y if len(y) == len(weight) else y.expand(len(weight), *y.shape[1:])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Operation, Tensor, Tensor], output: Tensor) -> None:
        ctx.operation, x, weight = inputs
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[None, Tensor | None, Tensor | None]:  # pyright: ignore
        x, weight = ctx.saved_tensors
        in_x = in_weight = None
        if ctx.needs_input_grad[1]:
            in_x = ctx.operation.slope_in_x(x, weight, slope)
            in_x = in_x if len(in_x) == len(x) else in_x.sum(0, keepdim=True)
        if ctx.needs_input_grad[2]:
            in_weight = ctx.operation.slope_in_weight(x, weight, slope)
        return None, in_x, in_weight

    @staticmethod
    def jvp(ctx: Any, _: None, x_slope: Tensor | None, weight_slope: Tensor | None) -> Tensor:  # pyright: ignore
        x, weight = ctx.saved_tensors
        along_x = None if x_slope is None else Shared.apply(ctx.operation, x_slope, weight)
        along_weight = None if weight_slope is None else _each(ctx.operation, x, weight_slope)
        slopes: list[Any] = [slope for slope in (along_x, along_weight) if slope is not None]
        return slopes[0] if len(slopes) == 1 else slopes[0] + slopes[1]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[None, int | None, int | None], *inputs: Any) -> tuple[Any, int]:  # pyright: ignore
        """`torch.func.vmap` gives the tensors that hold all replicates: the same weights have stride 0 there."""
        (operation, x, weight), (_, x_axis, weight_axis) = inputs, in_dims
        all_x = x.unsqueeze(0) if x_axis is None else x.movedim(x_axis, 0)
        if weight_axis is None:
            all_weights = weight.expand(info.batch_size, *weight.shape)
        else:
            all_weights = weight.movedim(weight_axis, 0)
        if all_weights.stride(0) == 0 and all_weights.shape[1] == all_x.shape[1] == 1:
            return Shared.apply(operation, all_x.squeeze(1), all_weights.squeeze(1)).unsqueeze(1), 0  # pyright: ignore
        return torch.func.vmap(partial(_each, operation), in_dims=(x_axis, weight_axis))(x, weight), 0


def _each(operation: Operation, x: Tensor, weight: Tensor) -> Tensor:
    """The outputs where each replicate has weights of its own."""

    def one(x: Tensor, weight: Tensor) -> Tensor:
        return operation.together(x.unsqueeze(0), weight).squeeze(0)

    return torch.func.vmap(one)(x.expand(len(weight), *x.shape[1:]), weight)
