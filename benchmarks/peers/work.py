"""What every peer does: the same gradient estimates, of which the moments are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["CASES", "Block", "Case", "Moments"]


@dataclass(frozen=True)
class Case:
    """An estimator on a problem at its initial parameters, in float32."""

    name: str
    problem: str
    estimator: str
    num_samples: int

    @property
    def title(self) -> str:
        return f"{self.name}: {self.estimator} on {self.problem}, S = {self.num_samples}"


class Moments(NamedTuple):
    """The moments of a number of gradients, entry by entry."""

    replicates: int
    mean: np.ndarray
    variance: np.ndarray


Block = Callable[[], Moments]
"""Draws a fixed number of gradients; fresh ones with every call."""

LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"
CASES = [
    Case("A pathwise", "gaussian-quadratic:dim=10", "pathwise", 10),
    Case("A leave-one-out", "gaussian-quadratic:dim=10", LEAVE_ONE_OUT, 10),
    Case("B pathwise", "gaussian-quadratic:dim=1000", "pathwise", 10),
    Case("B leave-one-out", "gaussian-quadratic:dim=1000", LEAVE_ONE_OUT, 10),
    Case("C pathwise", "gaussian-quadratic:dim=10", "pathwise", 1000),
    Case("C leave-one-out", "gaussian-quadratic:dim=10", LEAVE_ONE_OUT, 1000),
    Case("D", "bernoulli-toy", LEAVE_ONE_OUT, 10),
    Case("E", "gamma-cost:dim=10", "pathwise", 10),
    Case("F", "digits-vae:points=32", "iwae", 10),
]
