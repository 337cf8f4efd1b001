"""Quantile functions that torch lacks, elementwise and without gradients."""

import torch
from torch import Tensor

__all__ = ["gamma_quantile", "poisson_quantile"]


def gamma_quantile(u: Tensor, concentration: Tensor, steps: int = 40) -> Tensor:
    """x with P(Gamma(concentration, 1) <= x) = u, by safeguarded Newton steps on log x in float64.

    Starts from the Wilson-Hilferty approximation, or where that is not positive from F(x) ~ x^a / Γ(a+1).
    """
    p, a = torch.broadcast_tensors(u.double(), concentration.double())
    wilson_hilferty = 1 - 1 / (9 * a) + torch.special.ndtri(p) / (3 * a.sqrt())
    small = (p.log() + torch.lgamma(a + 1)) / a
    t = torch.where((wilson_hilferty > 0.1) & (a > 0.5), a.log() + 3 * wilson_hilferty.clamp(min=0.1).log(), small)
    low, high = torch.full_like(t, -700.0), torch.full_like(t, 30.0) + a.log().clamp(min=0)
    t = t.clamp(low, high)
    for _ in range(steps):
        x = t.exp()
        excess = torch.special.gammainc(a, x) - p
        low, high = torch.where(excess < 0, t, low), torch.where(excess < 0, high, t)
        step = excess / (a * t - x - torch.lgamma(a)).exp()
        proposal = t - step
        inside = (proposal > low) & (proposal < high)
        # A step that small is the rounding error of gammainc: following it would leave the root again.
        converged = step.abs() < 1e-9
        t = torch.where(converged, t, torch.where(inside, proposal, (low + high) / 2))
        if bool(converged.all()):
            break
    return t.exp().to(u.dtype).clamp_(min=torch.finfo(u.dtype).tiny)


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
