r"""Probabilities of sets of states drawn without replacement.

$P(D) = \int_0^1 \prod_{s \in D} \big(1 - v^{p_s / (1 - p_D)}\big)\, dv$ with $p_D = \sum_{s \in D} p_s$ (Kool et al.
2020, appendix B). Taking a state out of D and of everything leaves the exponents of the others as they are.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["leave_out_ratios"]

NODES = 64


def leave_out_ratios(log_p: Float[Tensor, "S R"]) -> tuple[Float[Tensor, "S R"], Float[Tensor, "S S R"]]:
    """log R_s, and log R_{s, s'} `[s, s', R]` with −inf where s' = s, of S distinct states; in the given dtype.

    By double-exponential quadrature in float64, whose nodes crowd at both ends of the interval.
    """
    log_v, log_weights = _tanh_sinh(log_p.device)
    p = log_p.double().exp()
    rest = (1 - p.sum(0)).clamp(min=torch.finfo(torch.float64).tiny)
    factors = torch.log(-torch.expm1(log_v * (p / rest).unsqueeze(-1)))  # [S, R, T]
    together = log_weights + factors.sum(0)  # [R, T]
    # Everything relative to the node where the whole integrand is largest: factors may be as small as the states' odds.
    top, peak = together.max(-1, keepdim=True)
    at_peak = factors.gather(-1, peak.expand(len(log_p), -1, 1))
    integrand, inverse = (together - top).exp(), (at_peak - factors).exp().movedim(0, 1)  # [R, T], [R, S, T]
    offset = at_peak.squeeze(-1)
    whole = integrand.sum(-1).log()
    without = (inverse @ integrand.unsqueeze(-1)).squeeze(-1).T.log() - offset
    pairs = ((inverse * integrand.unsqueeze(1)) @ inverse.mT).movedim(0, -1).log() - offset - offset.unsqueeze(1)
    own = torch.eye(len(log_p), dtype=torch.bool, device=log_p.device).unsqueeze(-1)
    second = (pairs - without.unsqueeze(1)).masked_fill(own, -math.inf)
    return (without - whole).to(log_p.dtype), second.to(log_p.dtype)


def _tanh_sinh(device: torch.device) -> tuple[Tensor, Tensor]:
    """log v and log weight of nodes v = 1 / (1 + exp(−π sinh t)) on (0, 1), with the digits of both v and 1 − v."""
    t = torch.linspace(-4.0, 4.0, NODES, dtype=torch.float64, device=device)
    y = math.pi * t.sinh()
    log_v, log_rest = torch.nn.functional.logsigmoid(y), torch.nn.functional.logsigmoid(-y)
    step = 8.0 / (NODES - 1)
    return log_v, log_v + log_rest + (math.pi * t.cosh() * step).log()
