"""Where the slope of a cost jumps, as the graph of its derivative shows."""

from typing import Any

from torch import Tensor

__all__ = ["kinks"]

KINKED = {
    "Abs": "abs",
    "Amax": "amax",
    "Amin": "amin",
    "Clamp": "clamp",
    "ClampMax": "clamp",
    "ClampMin": "clamp",
    "Hardswish": "hardswish",
    "Hardtanh": "hardtanh",
    "LeakyRelu": "leaky_relu",
    "Max": "max",
    "Maximum": "maximum",
    "Min": "min",
    "Minimum": "minimum",
    "PreluKernel": "prelu",
    "Relu": "relu",
    "Sort": "sort",
    "Threshold": "relu",
}
"""Operations of torch by the names of their derivatives, `ReluBackward0` and the like."""


def kinks(value: Tensor, x: Tensor) -> list[str]:
    """The operations between x, a leaf, and a value that follows from it, at which a slope may jump."""
    found, reaches = set[str](), dict[Any, bool]()
    stack = [value.grad_fn]
    while stack:
        node = stack[-1]
        if node is None or node in reaches:
            stack.pop()
            continue
        before = [following for following, _ in node.next_functions if following is not None]
        if waiting := [one for one in before if one not in reaches]:
            stack += waiting
            continue
        stack.pop()
        reaches[node] = getattr(node, "variable", None) is x or any(reaches[one] for one in before)
        kind = node.name().partition("Backward")[0]
        if reaches[node] and kind in KINKED:
            found.add(KINKED[kind])
    return sorted(found)
