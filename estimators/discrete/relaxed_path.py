"""Estimators whose discrete samples have a derivative of something smooth."""

from typing import final

from torch import Tensor
from torch.distributions import Distribution

from estimators.discrete.relaxations import refusal_to_relax, unrelaxed
from estimators.interface import AlongPath, Claim, Problem

__all__ = ["RelaxedPath", "with_slope_of"]


class RelaxedPath(AlongPath):
    """A path of discrete x that can be relaxed: biased, and needs a cost that is differentiable in x."""

    @final
    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return refusal_to_relax(problem)

    @final
    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased"

    @final
    def without_path(self, q: Distribution) -> str | None:
        return unrelaxed(q)


def with_slope_of(x: Tensor, smooth: Tensor) -> Tensor:
    """x, with the gradient of something smooth."""
    return x.detach() + (smooth - smooth.detach())
