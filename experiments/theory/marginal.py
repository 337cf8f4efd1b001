"""One dimension of a separable cost of a diagonal Gaussian, on a quadrature rule."""

import dataclasses
import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.polynomial.legendre import leggauss
from scipy import stats

from estimators.registry import make_problem
from experiments.problems.gaussian import DiagonalGaussian, GaussianCosine, GaussianExponential, GaussianQuadratic

__all__ = ["PANELS", "Marginal", "marginal", "normal_rule", "uniform_rule"]

SEPARABLE = (GaussianQuadratic, GaussianExponential, GaussianCosine)
PANELS = np.linspace(-12.0, 12.0, 49)
"""Edges of the panels in standard deviations; with 24 nodes a panel, costs that vary within σ/50 are still resolved."""
NODES, WEIGHTS = leggauss(24)


@dataclass(frozen=True, eq=False)
class Marginal:
    """The cost c(μ + σ ε) of one of `dim` dimensions, ε ~ N(0, 1)."""

    problem: DiagonalGaussian
    """The problem in one dimension."""
    dim: int
    points: np.ndarray
    weights: np.ndarray

    @property
    def scale(self) -> float:
        return math.exp(self.problem.log_scale)

    def cost(self, noise: np.ndarray) -> np.ndarray:
        return self.problem.cost(self._x(noise)[..., None], {}).numpy()

    def score(self, name: str) -> np.ndarray:
        """The derivative of the log density in loc or log_scale, at the points."""
        return self.points / self.scale if name == "loc" else self.points**2 - 1

    def path(self, name: str, noise: np.ndarray) -> np.ndarray:
        """The derivative of the cost in loc or log_scale, the noise held fixed."""
        x = self._x(noise).requires_grad_()
        (slope,) = torch.autograd.grad(self.problem.cost(x[..., None], {}).sum(), x)
        return slope.numpy() * (1.0 if name == "loc" else self.scale * noise)

    def mean(self, values: np.ndarray) -> float:
        return float(self.weights @ values)

    def variance(self, values: np.ndarray) -> float:
        """0 within the rounding of the values."""
        found = self.mean((values - self.mean(values)) ** 2)
        return found if found > (64 * np.finfo(float).eps) ** 2 * self.mean(values**2) else 0.0

    def _x(self, noise: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self.problem.loc + self.scale * noise)


@cache
def marginal(spec: str) -> Marginal | None:
    """A dimension of a problem; None: it is none of those with a separable, differentiable cost."""
    try:
        problem = make_problem(spec)
    except ValueError:  # the problem is of a plug-in that is not loaded, or of another version
        return None
    if not isinstance(problem, SEPARABLE):
        return None
    return Marginal(dataclasses.replace(problem, dim=1), problem.dim, *normal_rule(PANELS))


def normal_rule(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre points between the edges, with weights that hold the density of N(0, 1)."""
    points, weights = _panels(edges)
    return points, weights * stats.norm.pdf(points)


def uniform_rule() -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on (0, 1)."""
    return _panels(np.linspace(0.0, 1.0, 5))


def _panels(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, width = edges[:-1, None], np.diff(edges)[:, None]
    return (low + width * (NODES + 1) / 2).ravel(), (width / 2 * WEIGHTS).ravel()
