"""What every peer does: the same gradient estimates, of which the moments are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

__all__ = ["CASES", "LEAVE_ONE_OUT", "NETWORKS", "PROGRAMS", "Block", "Case", "Moments", "rate"]


@dataclass(frozen=True)
class Case:
    """An estimator on a problem at its initial parameters, in float32."""

    name: str
    problem: str
    estimator: str
    num_samples: int
    compiled: bool = True
    """The figure of gradmark is that of compiled gradients; else of eager ones, which are as fast there."""

    @property
    def ours(self) -> str:
        """The implementation that all others are compared with."""
        return "gradmark, compiled" if self.compiled else "gradmark"

    @property
    def title(self) -> str:
        return f"{self.name}: {self.estimator} on {self.problem}, S = {self.num_samples}"


class Moments(NamedTuple):
    """The moments of a number of gradients, entry by entry."""

    replicates: int
    mean: np.ndarray
    variance: np.ndarray

    def merged(self, other: "Moments") -> "Moments":
        """Those of both together."""
        total, shift = self.replicates + other.replicates, other.mean - self.mean
        mean = self.mean + shift * (other.replicates / total)
        squares = (self.replicates - 1) * self.variance + (other.replicates - 1) * other.variance
        between = shift**2 * (self.replicates * other.replicates / total)
        return Moments(total, mean, (squares + between) / (total - 1))


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
    Case("G", "policy-small", "score-function", 4),
    Case("H", "policy-large", "score-function", 4, compiled=False),
    Case("I", "autoencoder-small", "pathwise", 1),
    Case("J", "autoencoder-large", "pathwise", 1, compiled=False),
    Case("K", "layers", "per-variable:discrete=score-function", 10),
]
PROGRAMS = {"K"}
"""The cases of several random variables."""
NETWORKS = {"G", "H", "I", "J"}
"""The cases of networks, of which the whole of a measurement is timed too."""


def rate(case: Case, name: str, seconds: np.ndarray, ratios: np.ndarray) -> dict[str, Any]:
    """What a row says of an implementation: its pace, and the median and quartiles of a ratio, over the rounds."""
    low, ratio, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return {
        "case": case.name,
        "implementation": name,
        "gradients_per_second": 1 / np.median(seconds),
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
    }
