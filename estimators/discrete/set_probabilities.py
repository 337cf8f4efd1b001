r"""Probabilities of sets of states drawn without replacement.

$P(D) = \int_0^1 \prod_{s \in D} \big(1 - v^{p_s / (1 - p_D)}\big)\, dv$ with $p_D = \sum_{s \in D} p_s$ (Kool et al.
2020, appendix B). Taking a state out of D and of everything leaves the exponents of the others as they are.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["leave_out_ratios", "remainder"]

TINY = torch.finfo(torch.float64).tiny
LEAST_LOG_P = -690.0
"""The least log-probability of a state: the probability is still a normal number in float64."""
REACH = 4.0
"""How far the nodes reach to each side, for few states."""
STEP = 8.0 / 63
"""The distance from one node to the next, for few states."""


def remainder(log_p: Float[Tensor, "S R"]) -> Float[Tensor, " R"]:
    """1 − Σ p of distinct states, with its own digits where one of them has nearly all the probability."""
    ordered = log_p.sort(0, descending=True).values
    return (-torch.expm1(ordered[0]) - ordered[1:].exp().sum(0)).clamp(min=0)


def leave_out_ratios(log_p: Float[Tensor, "S R"]) -> tuple[Float[Tensor, "S R"], Float[Tensor, "S S R"]]:
    """log R_s, and log R_{s, s'} `[s, s', R]` with −inf where s' = s, of S distinct states; in the given dtype.

    Computed by double-exponential quadrature in float64, whose nodes crowd at both ends of the interval.
    """
    log_v, log_weights = _tanh_sinh(len(log_p), log_p.device)
    certain = log_p.double().clamp(min=LEAST_LOG_P)
    p, rest = certain.exp(), remainder(certain).clamp(min=TINY)
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


def _tanh_sinh(states: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """log v and log weight of nodes v = 1 / (1 + exp(−π sinh t)) on (0, 1), with the digits of both v and 1 − v.

    For S rare states the integrand has its peak at log v = −S, of width √S: there t is of width 1 / √S.
    """
    reach = max(REACH, math.asinh((states + 10 * math.sqrt(states) + 40) / math.pi))
    count = math.ceil(2 * reach / min(STEP, 0.7 / math.sqrt(states))) + 1
    t = torch.linspace(-reach, reach, count, dtype=torch.float64, device=device)
    y = math.pi * t.sinh()
    log_v, log_rest = torch.nn.functional.logsigmoid(y), torch.nn.functional.logsigmoid(-y)
    step = 2 * reach / (count - 1)
    return log_v, log_v + log_rest + (math.pi * t.cosh() * step).log()
