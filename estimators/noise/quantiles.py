"""Quantile functions and tail integrals that torch lacks, elementwise and without gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = [
    "gamma_quantile",
    "log_gamma_quantile",
    "poisson_quantile",
    "solve",
    "von_mises_quantile",
    "von_mises_tail",
]


STEPS = 60

Excess = Callable[[Tensor], tuple[Tensor, Tensor]]
"""The amount by which an increasing function lies above its target, and its derivative."""


def solve(excess: Excess, start: Tensor, low: Tensor, high: Tensor, unit: Tensor | float = 1.0) -> Tensor:
    """The root between two bounds to 1e-9 of a unit, by Newton steps that bisect where they would leave the bounds."""
    x = start.clamp(low, high)
    for _ in range(STEPS):
        above, slope = excess(x)
        low, high = torch.where(above < 0, x, low), torch.where(above < 0, high, x)
        step = above / slope
        proposal = x - step
        inside = (proposal > low) & (proposal < high)
        # A step that small is the rounding error of the function: following it would leave the root again.
        converged = step.abs() < 1e-9 * unit
        x = torch.where(converged, x, torch.where(inside, proposal, (low + high) / 2))
        if bool(converged.all()):
            break
    return x


def gamma_quantile(u: Tensor, concentration: Tensor) -> Tensor:
    """x with P(Gamma(concentration, 1) <= x) = u, but at least the smallest normal number."""
    return log_gamma_quantile(u, concentration).exp().clamp_(min=torch.finfo(u.dtype).tiny)


def log_gamma_quantile(u: Tensor, concentration: Tensor) -> Tensor:
    """log x with P(Gamma(concentration, 1) <= x) = u, solved in float64.

    Starts from the Wilson-Hilferty approximation, or where that is not positive from F(x) ~ x^a / Γ(a+1), to which
    nothing needs to be added where x is smaller than rounding.
    """
    p, a = torch.broadcast_tensors(u.double(), concentration.double())
    wilson_hilferty = 1 - 1 / (9 * a) + torch.special.ndtri(p) / (3 * a.sqrt())
    small = (p.log() + torch.lgamma(a + 1)) / a
    exact = small < -40
    start = torch.where((wilson_hilferty > 0.1) & (a > 0.5), a.log() + 3 * wilson_hilferty.clamp(min=0.1).log(), small)

    def excess(t: Tensor) -> tuple[Tensor, Tensor]:
        x = t.exp()
        above = torch.special.gammainc(a, x) - p
        return above.where(~exact, 0.0), (a * t - x - torch.lgamma(a)).exp()

    found = solve(excess, start, torch.full_like(start, -700.0), 30.0 + a.log().clamp(min=0))
    return torch.where(exact, small, found).to(u.dtype)


def von_mises_tail(z: Tensor, concentration: Tensor) -> Tensor:
    """−∂κF(z; κ) / q(z; κ) for angles 0 <= z <= π: ∫_z^π exp(κ (cos t − cos z)) (cos t − A(κ)) dt, A = I₁/I₀.

    The integral over the tail keeps its digits where the density is small.
    """
    mean_cosine = torch.special.i1e(concentration) / torch.special.i0e(concentration)
    t, weights, ratio = _von_mises_tail(z, concentration)
    return (weights * ratio * (t.cos() - mean_cosine.unsqueeze(-1))).sum(-1)


def _gauss_legendre(size: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights on [−1, 1], float64 (Golub & Welsch 1969)."""
    k = torch.arange(1, size, dtype=torch.float64)
    off_diagonal = torch.diag(k / (4 * k**2 - 1).sqrt(), -1)
    nodes, vectors = torch.linalg.eigh(off_diagonal)
    return nodes, 2 * vectors[0] ** 2


NODES, WEIGHTS = _gauss_legendre(32)


def _von_mises_tail(z: Tensor, concentration: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes and weights of Gauss-Legendre quadrature from z to π, or to where q has vanished, and q(t) / q(z)."""
    nodes, weights = NODES.to(z), WEIGHTS.to(z)
    end = torch.minimum(z + 12 / concentration.sqrt(), torch.full_like(z, torch.pi))
    half = ((end - z) / 2).unsqueeze(-1)
    t = z.unsqueeze(-1) + half * (nodes + 1)
    ratio = (concentration.unsqueeze(-1) * (t.cos() - z.unsqueeze(-1).cos())).exp()
    return t, half * weights, ratio


def von_mises_quantile(u: Tensor, concentration: Tensor) -> Tensor:
    """The angle z in [−π, π] with P(VonMises(0, concentration) <= z) = u, in float64."""
    p, k = torch.broadcast_tensors(u.double(), concentration.double())
    tail = torch.minimum(p, 1 - p)

    def excess(z: Tensor) -> tuple[Tensor, Tensor]:
        _, weights, ratio = _von_mises_tail(z, k)
        density = (k * (z.cos() - 1)).exp() / (2 * torch.pi * torch.special.i0e(k))
        return tail - density * (weights * ratio).sum(-1), density

    start = (-torch.special.ndtri(tail) / k.sqrt()).clamp(max=torch.pi * (1 - 2 * tail))
    z = solve(excess, start, torch.zeros_like(start), torch.full_like(start, torch.pi))
    return (z * (p - 0.5).sign()).to(u.dtype)


def poisson_quantile(u: Tensor, rate: Tensor) -> Tensor:
    """The smallest k with P(Poisson(rate) <= k) >= u, by bisection on P(K <= k) = Q(k + 1, rate) in float64."""
    p, mean = torch.broadcast_tensors(u.double(), rate.double())
    low, high = torch.full_like(mean, -1.0), (mean + 12 * mean.sqrt() + 40).floor()
    for _ in range(int(high.max().log2().ceil()) + 1 if high.numel() else 0):
        middle = ((low + high) / 2).floor()
        reached = torch.special.gammaincc(middle.clamp(min=0) + 1, mean) >= p
        reached &= middle >= 0
        low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
    return high.to(u.dtype)
