"""The slopes of the cost as a linear function of x, for the least variance of pathwise gradients."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["linear_fit", "moments_of"]

LEAST = 1e-13
"""The least part of a feature's square that is added to it: less than float64 tells apart."""
CONSTANTS = 2
"""Features that stand for the mean gradients, which the fit leaves alone."""


def moments_of(
    step: Float[Tensor, "S R *B K"], slopes: Float[Tensor, "S R *B K"], covariance: Float[Tensor, "R *B K K"]
) -> Float[Tensor, "R *B K K3 K4"]:
    r"""Means of products, from which `linear_fit` follows, in float64: one set for each coordinate i.

    With step $= x - \mu$, two gradients of a coordinate are to be met: of its mean, $g_i$ by $(B\, \mathrm{step})_i$,
    and of the logarithm of its scale, $g_i\, \mathrm{step}_i$ by $(b + B\, \mathrm{step})_i\, \mathrm{step}_i$ less
    its mean. Each has a constant feature of its own. The last column holds the products with the gradients.
    """
    step, slopes, covariance = step.double(), slopes.double(), covariance.double()
    one, none = torch.ones_like(step[..., :1]), torch.zeros_like(step[..., :1])
    of_mean = torch.cat([one, none, none, step], -1).unsqueeze(-2).expand(*step.shape, -1)
    each, none, one = step.unsqueeze(-1), none.expand_as(step).unsqueeze(-1), one.expand_as(step).unsqueeze(-1)
    of_scale = torch.cat([none, one, each, each * step.unsqueeze(-2) - covariance], -1)
    total = torch.zeros(())
    for features, met in ((of_mean, slopes), (of_scale, slopes * step)):
        beside = torch.cat([features, met.unsqueeze(-1)], -1)
        total = total + torch.einsum("s...i,s...j->...ij", features, beside) / len(step)
    return total


def linear_fit(
    moments: Float[Tensor, "R *B K K3 K4"], shrinkage: float = 0.0
) -> tuple[Float[Tensor, "R *B K"], Float[Tensor, "R *B K K"]]:
    """b and the symmetric B of the fit b + B step. `shrinkage`: one over how many samples n the moments are of.

    Of F features each square gets F / n² of itself added: few samples then do not pass for all.
    """
    squares, products = moments[..., :-1], moments[..., -1:]
    width = torch.diagonal(squares, dim1=-2, dim2=-1).sqrt()
    width = torch.where(width > 0, width, 1.0).unsqueeze(-1)
    added = torch.eye(squares.shape[-1], dtype=squares.dtype, device=squares.device) * max(
        shrinkage**2 * squares.shape[-1], LEAST
    )
    found = torch.linalg.solve(squares / (width * width.mT) + added, products / width) / width
    slope, matrix = found[..., CONSTANTS, 0], found[..., CONSTANTS + 1 :, 0]
    return slope, (matrix + matrix.mT) / 2
