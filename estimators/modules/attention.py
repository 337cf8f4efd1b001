"""Attention in operations that `torch.func.vmap` maps, and that can be differentiated twice."""

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from estimators.modules.refusals import without_dropout

__all__ = ["attention", "with_replaced"]


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`scaled_dot_product_attention` as its documentation writes it."""
    without_dropout(query, dropout_p)
    if enable_gqa:
        key, value = (one.repeat_interleave(query.size(-3) // one.size(-3), -3) for one in (key, value))
    weights = query @ key.mT * (1 / math.sqrt(query.size(-1)) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(query.size(-2), key.size(-2), dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        weights = weights.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        weights = weights + attn_mask
    return torch.ops.aten._safe_softmax(weights, -1) @ value


def with_replaced(function: FunctionType, replaced: dict[Callable[..., Any], Callable[..., Any]]) -> Callable[..., Any]:
    """A function of `torch.nn.functional` that calls what stands in place of other functions of torch.

    torch shows a mode the outermost function only. A compiler takes torch's own.
    """
    names: dict[str, Any] = dict(vars(functional))
    for name, found in vars(functional).items():
        if isinstance(found, Callable) and found in replaced:
            names[name] = replaced[found]
        elif isinstance(found, FunctionType) and found.__module__ == functional.__name__:
            names[name] = FunctionType(found.__code__, names, name, found.__defaults__, found.__closure__)
            names[name].__kwdefaults__ = found.__kwdefaults__
    changed = names[function.__name__]

    def called(*inputs: Any, **options: Any) -> Any:
        return function(*inputs, **options) if torch.compiler.is_compiling() else changed(*inputs, **options)

    return called
