"""A quadratic cost of a Gaussian with full covariance, and what it is made of."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import MAX_SIZE, check_options

__all__ = ["GaussianFullCovariance", "cholesky_entries", "cholesky_factor", "coupled_quadratic"]


@final
@register_problem("gaussian-full-covariance")
@dataclass(frozen=True)
class GaussianFullCovariance(Problem):
    r"""A quadratic cost of a Gaussian vector: the gradient of a whole covariance matrix.

    $x \sim N(\mathrm{loc}, L L^\top)$ in `dim` dimensions, $f = (x - k)^\top A (x - k)$. `cholesky` holds the $D (D +
    1) / 2$ entries of L row by row, the diagonal as logarithms; at first these are `log_scale` and all others
    `off_diagonal`. A is tridiagonal, with 1 on the diagonal and ¼ beside it.
    $\mathbb{E}[f] = (\mathrm{loc} - k)^\top A (\mathrm{loc} - k) + \mathrm{tr}(L^\top A L)$.
    """

    dim: int = 10
    loc: float = 1.0
    log_scale: float = 0.0
    off_diagonal: float = 0.2
    k: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=1)
        if self.dim**2 > MAX_SIZE:
            raise ValueError(f"dim must be at most {math.isqrt(MAX_SIZE):,}, for a covariance of dim² numbers")

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=3"]

    def initial_params(self) -> Params:
        return {
            "loc": torch.full((self.dim,), self.loc, dtype=torch.float64),
            "cholesky": cholesky_entries(self.dim, self.log_scale, self.off_diagonal),
        }

    def distribution(self, params: Params) -> Distribution:
        return MultivariateNormal(params["loc"], scale_tril=cholesky_factor(params["cholesky"]))

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return coupled_quadratic(x - self.k)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        columns = cholesky_factor(params["cholesky"]).mT
        return coupled_quadratic(params["loc"] - self.k) + coupled_quadratic(columns).sum(-1)


def coupled_quadratic(x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
    """xᵀAx of the tridiagonal A, whose eigenvalues lie between ½ and 3/2."""
    return (x**2).sum(-1) + (x[..., 1:] * x[..., :-1]).sum(-1) / 2


def cholesky_factor(entries: Float[Tensor, "*B E"]) -> Float[Tensor, "*B D D"]:
    """The lower-triangular matrix of these entries, row by row, the diagonal as logarithms."""
    row = torch.arange((math.isqrt(8 * entries.shape[-1] + 1) - 1) // 2, device=entries.device)
    matrix = entries[..., row[:, None] * (row[:, None] + 1) // 2 + row]
    return matrix.tril(-1) + matrix.diagonal(dim1=-2, dim2=-1).exp().diag_embed()


def cholesky_entries(dim: int, log_scale: float, off_diagonal: float) -> Float[Tensor, " E"]:
    """The entries of a matrix with one value on the diagonal, as a logarithm, and one below it."""
    row, column = torch.tril_indices(dim, dim)
    return torch.where(row == column, log_scale, off_diagonal).double()
