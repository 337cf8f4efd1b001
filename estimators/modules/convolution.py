"""Convolutions, and transposed ones, for replicates."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional

from estimators.modules.shared import Operation, Shared, weighted

__all__ = ["CONVOLUTIONS"]

Numbers = tuple[int, ...]


@final
@dataclass(frozen=True)
class Convolution(Operation):
    """A convolution, or a transposed one, without a bias, of x `[R, B, channels, *space]`."""

    stride: Numbers
    padding: Numbers
    dilation: Numbers
    transposed: bool
    output_padding: Numbers
    groups: int

    def together(self, x: Tensor, weight: Tensor) -> Tensor:
        y = torch.convolution(x.flatten(0, 1), weight, None, *self._settings)
        return y.unflatten(0, x.shape[:2])

    def slope_in_x(self, x: Tensor, weight: Tensor, slope: Tensor) -> Tensor:
        none = (0,) * len(self.stride)
        other = replace(self, transposed=not self.transposed, output_padding=none)
        if other.transposed:
            least = other.sizes(slope.shape[3:], weight.shape[3:])
            other = replace(other, output_padding=tuple(map(int.__sub__, x.shape[3:], least)))
        found: Any = Shared.apply(other, slope, weight)
        inside = tuple(slice(0, size) for size in x.shape[3:])  # `output_padding` may add more than a stride
        return found[(..., *inside)]

    def slope_in_weight(self, x: Tensor, weight: Tensor, slope: Tensor) -> Tensor:
        def one(slope: Tensor, x: Tensor) -> Tensor:
            return torch.ops.aten.convolution_backward(
                slope, x, weight[0], None, *self._settings, [False, True, False]
            )[1]

        return torch.func.vmap(one, in_dims=(0, 0 if len(x) == len(slope) else None))(
            slope, x if len(x) == len(slope) else x[0]
        )

    def sizes(self, space: torch.Size, kernel: torch.Size) -> Numbers:
        """The sizes of the outputs of a transposed convolution without `output_padding`."""
        each = zip(space, kernel, self.stride, self.padding, self.dilation, strict=True)
        return tuple((n - 1) * stride - 2 * pad + dilation * (k - 1) + 1 for n, k, stride, pad, dilation in each)

    @property
    def _settings(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation, self.transposed, self.output_padding, self.groups


def _forward(
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Numbers = 1,
    padding: int | Numbers | str = 0,
    dilation: int | Numbers = 1,
    groups: int = 1,
) -> Tensor:
    spread = _numbers(dilation, dims)
    if padding == "same":
        widths = [d * (k - 1) for d, k in zip(spread, weight.shape[2:], strict=True)]
        sides = [side for width in reversed(widths) for side in (width // 2, width - width // 2)]
        input, padding = functional.pad(input, sides), 0
    around = _numbers(0 if padding == "valid" else padding, dims)  # pyright: ignore
    return _applied(
        Convolution(_numbers(stride, dims), around, spread, False, (0,) * dims, groups), input, weight, bias
    )


def _transposed(
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Numbers = 1,
    padding: int | Numbers = 0,
    output_padding: int | Numbers = 0,
    groups: int = 1,
    dilation: int | Numbers = 1,
) -> Tensor:
    around, spread, more = (_numbers(value, dims) for value in (padding, dilation, output_padding))
    return _applied(Convolution(_numbers(stride, dims), around, spread, True, more, groups), input, weight, bias)


def _applied(operation: Convolution, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    dims = len(operation.stride)
    batched = x.dim() > dims + 1
    y = weighted(operation, x if batched else x.unsqueeze(0), weight)
    y = y if batched else y.squeeze(0)
    return y if bias is None else y + bias.view(-1, *(1,) * dims)


def _numbers(value: int | Numbers, dims: int) -> Numbers:
    numbers = (value,) if isinstance(value, int) else tuple(value)
    return numbers * dims if len(numbers) == 1 else numbers


CONVOLUTIONS: dict[Callable[..., Tensor], Callable[..., Tensor]] = {
    functional.conv1d: partial(_forward, 1),
    functional.conv2d: partial(_forward, 2),
    functional.conv3d: partial(_forward, 3),
    functional.conv_transpose1d: partial(_transposed, 1),
    functional.conv_transpose2d: partial(_transposed, 2),
    functional.conv_transpose3d: partial(_transposed, 3),
}
