"""`torch.nn.functional.linear` and `embedding` for replicates."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from estimators.modules.refusals import NotMapped
from estimators.modules.shared import Operation, Shared, weighted

__all__ = ["embedding", "linear"]


@final
class Product(Operation):
    """x W^T, for x `[R, *N, inputs]` and W `[outputs, inputs]`."""

    def together(self, x: Tensor, weight: Tensor) -> Tensor:
        if x.dim() > 2 and x.stride(0) < x.stride(1):  # samples come as [S, R, …]: one matrix in that order
            return functional.linear(x.transpose(0, 1), weight).transpose(0, 1)
        return functional.linear(x, weight)

    def slope_in_x(self, x: Tensor, weight: Tensor, slope: Tensor) -> Tensor:
        return Shared.apply(self, slope, weight.mT)  # pyright: ignore

    def slope_in_weight(self, x: Tensor, weight: Tensor, slope: Tensor) -> Tensor:
        return _rows(slope).mT @ _rows(x)


@final
@dataclass(frozen=True)
class Lookup(Operation):
    """The rows of W `[entries, size]` that whole numbers x `[R, *N]` name."""

    padding: int | None

    def together(self, x: Tensor, weight: Tensor) -> Tensor:
        y = functional.embedding(x, weight)
        if self.padding is None:
            return y
        return torch.where((x == self.padding).unsqueeze(-1), y.detach(), y)  # torch.func.vmap forgets the padding

    def slope_in_x(self, x: Tensor, weight: Tensor, slope: Tensor) -> Tensor:
        raise AssertionError("whole numbers have no derivative")

    def slope_in_weight(self, x: Tensor, weight: Tensor, slope: Tensor) -> Tensor:
        replicates, entries, size = weight.shape
        if self.padding is not None:
            slope = slope.where((x != self.padding).unsqueeze(-1), 0.0)
        first = torch.arange(0, replicates * entries, entries, device=x.device)
        rows = x.reshape(len(x), -1) + first.unsqueeze(1)
        found = slope.new_zeros(replicates * entries, size)
        return found.index_add(0, rows.flatten(), slope.reshape(-1, size)).view(weight.shape)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if weight.dim() == 1:
        return linear(input, weight.unsqueeze(0), bias).squeeze(-1)
    y = weighted(Product(), input, weight)
    return y if bias is None else y + bias


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    if max_norm is not None:
        raise NotMapped("its embedding changes its weights as it runs: leave out max_norm")
    if scale_grad_by_freq:
        raise NotMapped("its embedding scales its gradients: leave out scale_grad_by_freq")
    if padding_idx is not None and padding_idx < 0:
        padding_idx += len(weight)
    return weighted(Lookup(padding_idx), input, weight)


def _rows(x: Tensor) -> Tensor:
    """`[R, *N, size]` as `[R, N, size]`."""
    return x.reshape(len(x), -1, x.shape[-1])
