# pyright: reportCallIssue=false, reportArgumentType=false
"""What problems say of their expected cost, at parameters that differ between the replicates."""

import torch
from torch import Tensor

from estimators.interface import Params, Problem

__all__ = ["QUADRATURE", "exact", "expected", "scattered"]
QUADRATURE = 1e-7
"""Relative error of adaptive quadrature and of sums over the tail of a Poisson distribution."""


def scattered(made: Problem, replicates: int = 2, seed: int = 0) -> Params:
    """Float64 parameters that differ between replicates and entries."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + 0.3 * torch.randn(replicates, *value.shape, generator=generator, dtype=torch.float64)
        for name, value in made.initial_params().items()
    }


def expected(made: Problem, params: Params) -> Tensor:
    value = made.exact_cost(params)
    assert value is not None
    return value


def exact(made: Problem, params: Params) -> Params:
    gradient = made.exact_gradient(params)
    assert gradient is not None
    return gradient
