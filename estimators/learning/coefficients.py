"""Coefficients by name, `[R, …]`: each replicate has its own, or all share one row, `[1, …]`."""

from torch import Tensor

__all__ = ["FIXED", "Coefficients", "for_each_cost", "for_each_replicate", "free", "of_costs"]

Coefficients = dict[str, Tensor]
FIXED = frozenset({"centre", "width", "spread"})
"""What is not learned: how a network standardises."""


def free(coefficients: Coefficients) -> Coefficients:
    """Those that are learned."""
    return {name: value for name, value in coefficients.items() if name not in FIXED}


def for_each_replicate(coefficients: Coefficients, replicates: int) -> Coefficients:
    """A row for each replicate, detached: a shared row belongs to all of them."""
    return {name: value.detach().expand(replicates, *value.shape[1:]) for name, value in coefficients.items()}


def for_each_cost(coefficients: Coefficients, costs: int) -> Coefficients:
    """A row for each cost; a shared row stays one."""
    return {name: of_costs(value, costs) for name, value in coefficients.items()}


def of_costs(value: Tensor, costs: int) -> Tensor:
    """A row for each cost, where the costs of several data points share a replicate's; what all share stays one."""
    if value.ndim == 0 or len(value) in (1, costs):
        return value
    return value.repeat_interleave(costs // len(value), 0)
