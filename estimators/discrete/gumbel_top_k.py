"""Samples without replacement from a product of discrete distributions, over joint states that are never listed."""

from typing import NamedTuple

import torch
import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Problem
from estimators.interface.refusals import score
from estimators.noise import NoiseSource
from estimators.sampling.families import unwrap
from estimators.sampling.family import states_of
from estimators.sampling.states import CERTAIN, States

__all__ = ["Beam", "joint_states", "most_probable", "too_few_states", "without_replacement"]


LARGEST = 1023.0
"""The binary logarithm of the largest number of states that is counted."""


class Beam(NamedTuple):
    """Distinct joint states, best first."""

    x: Float[Tensor, "B R *E"]
    log_p: Float[Tensor, "B R"]
    perturbed: Float[Tensor, "B R"]
    """The figure that orders the states: log p + Gumbel noise for a sample without replacement, else log p."""


def joint_states(q: td.Distribution) -> float:
    """The number of joint states that have a probability, at the first replicate."""
    possible = _states(q).log_probabilities(unwrap(q))[0] > -CERTAIN
    return float(possible.sum(-1).double().prod())


def too_few_states(problem: Problem, num_samples: int) -> str | None:
    """Why num_samples joint states cannot be drawn without replacement, as a sentence; None: they can."""
    q = problem.initial_distribution
    if states_of(q) is None:
        kind = type(unwrap(q)).__name__
        return f"sampling without replacement needs Bernoulli or categorical variables, not {kind}"
    if reason := score(problem):
        return reason
    states = joint_states(q)
    if num_samples > states:
        return f"x has {states:g} joint states, fewer than num_samples = {num_samples}"
    return None


def without_replacement(q: td.Distribution, size: int, source: NoiseSource) -> Beam:
    """The states with the largest perturbed log-probabilities: a sample without replacement, in the order drawn.

    Stochastic beam search (Kool, van Hoof & Welling 2019): variable after variable, each partial state hands its
    perturbed log-probability down to its continuations as their maximum.
    """
    return _beam(q, size, source)


def most_probable(q: td.Distribution, size: int) -> Beam:
    """The states with the largest probabilities."""
    return _beam(q, size, None)


def _beam(q: td.Distribution, size: int, source: NoiseSource | None) -> Beam:
    inner, discrete = unwrap(q), _states(q)
    log_p = discrete.log_probabilities(inner).detach()
    replicates, classes = log_p.shape[0], log_p.shape[-1]
    log_p = log_p.reshape(replicates, -1, classes)  # [R, D, K]
    dimensions = log_p.shape[1]
    total = torch.zeros(1, replicates).to(log_p)
    order = total if source is None else _gumbel(source, total.shape)
    states = torch.zeros(1, replicates, 0, dtype=torch.long, device=log_p.device)
    for d in range(dimensions):
        child = total.unsqueeze(-1) + log_p[:, d]
        ordered = child if source is None else _with_maximum(child + _gumbel(source, child.shape), order)
        flat = ordered.transpose(1, 2).flatten(0, 1)  # [B·K, R]
        order, index = flat.topk(min(size, len(flat)), dim=0)
        total = child.transpose(1, 2).flatten(0, 1).gather(0, index)
        parents = states.gather(0, (index // classes).unsqueeze(-1).expand(-1, -1, d))
        states = torch.cat([parents, (index % classes).unsqueeze(-1)], -1)
    return Beam(discrete.samples(inner, states).reshape(-1, *q.batch_shape, *q.event_shape), total, order)


def _states(q: td.Distribution) -> States:
    found = states_of(q)
    assert found is not None
    return found


def _gumbel(source: NoiseSource, shape: tuple[int, ...]) -> Tensor:
    return -(-source.uniform(shape).log()).log()


def _with_maximum(gumbels: Float[Tensor, "B R K"], maximum: Float[Tensor, "B R"]) -> Tensor:
    """Gumbels conditioned on their maximum, in a form that does not overflow (Kool et al. 2019, appendix B)."""
    bound = maximum.unsqueeze(-1)
    below = (gumbels - gumbels.amax(-1, keepdim=True)).clamp(max=0)
    v = bound - gumbels + torch.log(-torch.expm1(below))
    return bound - v.clamp(min=0) - torch.log1p((-v.abs()).exp())
