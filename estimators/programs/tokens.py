"""What the variables of an answer are to those who train on it: which of them count, and how uncertain each was."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface.once import once
from estimators.interface.params import Params
from estimators.programs.program import Program
from estimators.programs.runs import given
from estimators.programs.visits import Trace, Visit
from estimators.sampling.families import unwrap
from estimators.sampling.family import states_of

__all__ = ["Tokens", "tokens"]


@final
@dataclass(frozen=True)
class Tokens:
    """Figures of each variable of each run, `[S, V, *B]`, detached. Those that are masked count zero."""

    counts: Float[Tensor, "S V *B"]
    energy: Float[Tensor, "S V *B"]
    r"""The squared norm of the score in the logits, $1 - 2 \pi(a) + \sum_b \pi(b)^2$; 0 of a continuous variable."""


@torch.no_grad()
def tokens(program: Program, params: Params, x: Tensor) -> Tokens:
    """The figures at joint values."""

    def collect(trace: Trace) -> tuple[tuple[Tensor, ...], ...]:
        counts = tuple(
            torch.as_tensor(1 if visit.counts is None else visit.counts).to(trace.costs[0]) for visit in trace.visits
        )
        return counts, tuple(c * _energy(v).to(c) for c, v in zip(counts, trace.visits, strict=True))

    def compute() -> tuple[Tensor, Tensor]:
        own = [(x,)] if program.layout.alone else program.layout.values(x)
        counts, energy = program.runs(params, [given] * len(own), own, collect)
        return torch.stack(counts, 1).detach(), torch.stack(energy, 1).detach()

    return Tokens(*once(compute, ("tokens", id(program)), [x, *params.values()]))


def _energy(visit: Visit) -> Tensor:
    assert visit.drawn is not None
    inner, states = unwrap(visit.q), states_of(visit.q)
    if states is None:
        return torch.zeros(())
    own, all_states = states.probability(inner, visit.drawn.x), states.log_probabilities(inner).exp()
    return (1 - 2 * own + (all_states**2).sum(-1)).sum()
