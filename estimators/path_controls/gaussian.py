"""Quadratic surrogates of the cost under a Gaussian q, whose expected value is known."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.interface import LatentVariableProblem, Observed, Params, PathSamples, Problem
from estimators.interface.refusals import differentiable
from estimators.sampling.events import as_vectors
from estimators.sampling.families import unwrap
from estimators.sampling.family import known_kind

__all__ = [
    "covariance_in_blocks",
    "directions",
    "in_blocks",
    "noisy_part",
    "one_by_one",
    "quadratic_term",
    "steady_part",
    "without_moments",
]


def without_moments(problem: Problem, name: str) -> str | None:
    """Why the expected value of a quadratic is not known here, as a sentence; None: it is."""
    q = problem.initial_distribution
    if known_kind(q) not in (td.Normal, td.MultivariateNormal):
        return f"{name} needs a Gaussian distribution, not {type(unwrap(q)).__name__}"
    if known_kind(q) is td.MultivariateNormal and len(in_blocks(problem, q.mean, 1).shape) != q.mean.ndim:
        return f"{name} needs a Gaussian whose covariance is that of one vector, or of one for each data point"
    return differentiable(problem, name)


def steady_part(problem: Problem, q: td.Distribution) -> Tensor | float:
    """The mean of the rest of the cost, `[R]`, which the entropy of q gives."""
    return -problem.entropy_weight * q.entropy() if isinstance(problem, Observed) else 0.0


def noisy_part(problem: Problem) -> Callable[[Tensor, Params], Tensor]:
    """The part of the cost whose derivative along the path of a Gaussian has noise.

    Along it, log q(x) changes by the logarithms of the scales alone, whatever the noise is.
    """
    return problem.energy if isinstance(problem, Observed) else problem.cost


def in_blocks(problem: Problem, value: Tensor, leading: int) -> Float[Tensor, "*B K"]:
    """All of x, with any axes before it, as one vector; of a latent-variable problem that of each data point as one.

    The costs of data points add up, so that second derivatives are zero from one to another.
    """
    return as_vectors(value, leading + isinstance(problem, LatentVariableProblem))


def one_by_one(problem: Problem, value: Tensor, leading: int) -> Float[Tensor, "*B 1"]:
    """Each coordinate of x as a vector of its own."""
    return value.unsqueeze(-1)


def directions(problem: Problem, mean: Float[Tensor, "R *E"]) -> Float[Tensor, "K R *E"]:
    """A unit vector along each coordinate of a block, in all blocks at once."""
    size = in_blocks(problem, mean, 1).shape[-1]
    units = torch.eye(size, dtype=mean.dtype, device=mean.device)
    of_block = mean.shape[1 + isinstance(problem, LatentVariableProblem) :]
    shape = (size, *[1] * (mean.ndim - len(of_block)), *of_block)
    return units.reshape(shape).expand(size, *mean.shape)


def block_size(problem: Problem) -> int:
    """The coordinates of a block."""
    return in_blocks(problem, problem.initial_distribution.mean, 1).shape[-1]


def quadratic_term(
    samples: PathSamples, path: Tensor, mean: Tensor, slope: Tensor, curvature: Tensor
) -> Float[Tensor, "S R"]:
    r"""$\tilde f(x) - E \tilde f$ for $\tilde f(x) = b^\top (x - \mu_0) + \frac12 (x - \mu_0)^\top B (x - \mu_0)$.

    $\mu_0$ is the mean of q as a constant. The value is zero. x and its mean, `path` and `mean`, are in the blocks of
    the surrogate, whose slope b is `[R, *B, K]` and whose curvature B is `[R, *B, K, K]`.
    """
    at = slope + ((path - mean).detach().unsqueeze(-2) @ curvature).squeeze(-2)
    moving = _summed(at * (path - path.detach()), 2)
    expected = expected_quadratic(samples.q, mean, slope, curvature)
    return moving - (expected - expected.detach())


def expected_quadratic(q: td.Distribution, mean: Tensor, slope: Tensor, curvature: Tensor) -> Float[Tensor, " R"]:
    r"""$b^\top \mu + \frac12 \mathrm{tr}(B \Sigma)$: the gradient of $E \tilde f$, for symmetric B."""
    if _is_full(q, curvature.shape[-1]):
        spread = curvature * unwrap(q).covariance_matrix  # pyright: ignore
    else:
        spread = torch.diagonal(curvature, dim1=-2, dim2=-1) * q.variance.reshape(mean.shape)
    return _summed(slope * mean, 1) + _summed(spread, 1) / 2


def covariance_in_blocks(q: td.Distribution, mean: Float[Tensor, "R *B K"]) -> Float[Tensor, "R *B K K"]:
    """The covariance of a Gaussian q in the blocks that its mean is in."""
    inner: Any = unwrap(q)
    return inner.covariance_matrix if _is_full(q, mean.shape[-1]) else q.variance.reshape(mean.shape).diag_embed()


def _is_full(q: td.Distribution, size: int) -> bool:
    """Whether the coordinates of a block are correlated."""
    return known_kind(q) is td.MultivariateNormal and size > 1


def _summed(value: Tensor, leading: int) -> Tensor:
    return value.flatten(leading).sum(-1)
